"""What a built book needs beside itself: nothing from the network, and every link within it leads somewhere."""
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_LOADING = {"script": ("src",), "img": ("src", "srcset"), "iframe": ("src",), "source": ("src", "srcset"),
            "video": ("src", "poster"), "audio": ("src",), "embed": ("src",), "object": ("data",), "use": ("href",)}
# Relations of <link> that name a page instead of loading something into this one.
_NAMING = {"canonical", "next", "prev", "author", "copyright", "license", "search", "alternate"}
_REMOTE = re.compile(r"^\s*(?:https?:)?//", re.IGNORECASE)
_CSS_REMOTE = re.compile(r"(?:url\(\s*['\"]?|@import\s+['\"])((?:https?:)?//[^'\")\s]+)", re.IGNORECASE)
_JS_REMOTE = re.compile(r"https?://[^\s'\"`<>]+\.(?:m?js|css|woff2?)\b", re.IGNORECASE)


class _Loads(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found, self._inside = [], None

    def handle_starttag(self, tag, attrs):
        given = {k: v or "" for k, v in attrs}
        self._inside = tag if tag in {"script", "style"} else None
        for name in _LOADING.get(tag, ()):
            if _REMOTE.match(given.get(name, "")):
                self.found.append(f"<{tag} {name}={given[name]!r}>")
        if tag == "link" and _REMOTE.match(given.get("href", "")) and not set(given.get("rel", "").split()) & _NAMING:
            self.found.append(f"<link href={given['href']!r}>")
        self.found += [f"style {u}" for u in _CSS_REMOTE.findall(given.get("style", ""))]

    def handle_endtag(self, tag):
        self._inside = None

    def handle_data(self, data):
        if self._inside == "style":
            self.found += [f"<style> {u}" for u in _CSS_REMOTE.findall(data)]
        elif self._inside == "script":
            self.found += [f"<script> {u}" for u in _JS_REMOTE.findall(data)]


def external_requests(folder: Path) -> list[str]:
    """What the pages and style sheets under a folder would load from the network, one line each; empty when nothing.

    Links that a reader follows by clicking are not counted.
    """
    found = []
    for file in sorted(folder.rglob("*.html")):
        if "_static" in file.relative_to(folder).parts:
            continue  # templates of the theme, not pages
        parser = _Loads()
        parser.feed(file.read_text(encoding="utf-8"))
        found += [f"{file.relative_to(folder)}: {what}" for what in parser.found]
    for file in sorted(folder.rglob("*.css")):
        urls = _CSS_REMOTE.findall(file.read_text(encoding="utf-8", errors="replace"))
        found += [f"{file.relative_to(folder)}: {u}" for u in urls]
    return found


class _Links(HTMLParser):
    """Where links and images of a page lead, and the places in it that a link can name."""

    def __init__(self):
        super().__init__()
        self.targets, self.places = set(), set()

    def handle_starttag(self, tag, attrs):
        given = {k: v or "" for k, v in attrs}
        self.places |= {given[k] for k in ("id", "name") if k in given}
        for name in ("href", "src", "poster"):
            if given.get(name):
                self.targets.add((f"<{tag} {name}>", given[name]))


def dead_links(folder: Path) -> list[str]:
    """Links and images of pages under a folder that name a file, or a place in a page, that is not there, a line each.

    Links to other sites are not followed, nor those that a page's own script writes.
    """
    pages, found = {}, []
    for file in sorted(folder.rglob("*.html")):
        if "_static" not in file.relative_to(folder).parts:
            pages[file.resolve()] = parser = _Links()
            parser.feed(file.read_text(encoding="utf-8"))
    for file, parser in pages.items():
        for where, target in sorted(parser.targets):
            parts = urlsplit(target)
            if parts.scheme or parts.netloc or not (parts.path or parts.fragment):
                continue
            wanted = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            place = unquote(parts.fragment)
            if not wanted.exists():
                found.append(f"{file.relative_to(folder.resolve())}: {where} {target}: no such file")
            elif place and wanted in pages and place not in pages[wanted].places and not place.startswith("/"):
                found.append(f"{file.relative_to(folder.resolve())}: {where} {target}: no such place in the page")
    return found
