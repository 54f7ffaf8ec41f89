"""Country pages: for every territory what the released estimates say of it, in words, figures, tables and files.

``tables`` takes everything that a page says out of a release; ``sentences`` puts it into words, ``figures`` draws it;
``page`` fills the one template; ``files`` writes the downloads; ``build`` makes all pages side by side. Only files of
``data/release`` are read: no panel, no download.
"""
from .build import Built, build_countries, page_files, read_index
from .page import render_index, render_rule

__all__ = ["Built", "build_countries", "page_files", "read_index", "render_index", "render_rule"]
