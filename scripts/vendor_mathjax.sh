#!/usr/bin/env bash
# Fetch the part of MathJax that the book needs from npm into book/_vendor/mathjax, so that no page asks a CDN.
# Run it only to change the version; its result is committed.
set -euo pipefail

version=3.2.2
# sha512 of the package as the npm registry publishes it (npm view mathjax@3.2.2 dist.integrity)
integrity='Bt+SSVU8eBG27zChVewOicYs7Xsdt40qm4+UpHyX7k0/O9NliPc+x77k1/FEsPsjKPZGJvtRZM1vO+geW0OhGw=='

root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

(cd "$work" && npm pack --silent "mathjax@$version" >/dev/null)
found=$(openssl dgst -sha512 -binary "$work/mathjax-$version.tgz" | base64 -w0)
if [ "$found" != "$integrity" ]; then
    echo "mathjax-$version.tgz is not the package this script pins (sha512 $found)" >&2
    exit 1
fi
tar -xzf "$work/mathjax-$version.tgz" -C "$work"

target=$root/book/_vendor/mathjax
rm -rf "$target"
mkdir -p "$target/output/chtml/fonts"
cp "$work/package/LICENSE" "$target/LICENSE"
cp "$work/package/es5/tex-mml-chtml.js" "$target/"
cp -r "$work/package/es5/output/chtml/fonts/woff-v2" "$target/output/chtml/fonts/"
echo "MathJax $version: $(du -sh "$target" | cut -f1) in book/_vendor/mathjax"
