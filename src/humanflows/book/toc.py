"""The table of contents: which pages the book has."""
from pathlib import Path

import yaml

from .. import paths

COUNTRIES = "book/countries"    # the chapter of the country pages, and the folder in which they are staged


def toc_files() -> list[str]:
    """Pages of the table of contents in its order, without suffix, the opening page first."""
    def walk(node):
        if isinstance(node, dict):
            for key, value in node.items():
                if key in ("root", "file"):
                    yield str(value)
                else:
                    yield from walk(value)
        elif isinstance(node, list):
            for item in node:
                yield from walk(item)

    return list(walk(yaml.safe_load((paths.ROOT / "_toc.yml").read_text(encoding="utf-8"))))


def notebooks_in_toc() -> list[str]:
    return [Path(f).name + ".ipynb" for f in toc_files() if f.startswith("notebooks/")]
