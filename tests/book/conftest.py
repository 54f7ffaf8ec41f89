"""A project of two tiny notebooks and three pages in a temporary folder, built with the real code."""
import json
import shutil

import nbformat
import pytest

from humanflows import paths

NOTEBOOK = nbformat.v4


def write_notebook(folder, name, *cells, parameters='profile = "twin"\nseed = 1', title="# A title\n\nSome prose.",
                   tags=("parameters",)):
    """Write a notebook: title, parameters, then code cells."""
    book = NOTEBOOK.new_notebook(cells=[
        NOTEBOOK.new_markdown_cell(title),
        NOTEBOOK.new_code_cell(parameters, metadata={"tags": list(tags)}),
        *(NOTEBOOK.new_code_cell(c) for c in cells)])
    for k, cell in enumerate(book.cells):
        cell.id = f"cell-{k}"  # random by default
    nbformat.write(book, folder / name)
    return folder / name


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Point every folder of ``paths`` into a small project and return its root."""
    root = tmp_path / "project"
    real = paths.ROOT
    shutil.copytree(real / "config", root / "config")
    (root / "data" / "release" / "figures").mkdir(parents=True)
    (root / "notebooks").mkdir()
    (root / "book" / "_static").mkdir(parents=True)
    shutil.copyfile(paths.DATA / "territories.csv", root / "data" / "territories.csv")
    for style in ("custom.css", "countries.css"):
        (root / "book" / "_static" / style).write_text(".simulated { border-color: orange; }\n")
    (root / "book" / "_static" / "logo.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="9"/>')
    shutil.copytree(real / "book" / "_vendor", root / "book" / "_vendor")
    shutil.copyfile(real / "book" / "references.bib", root / "book" / "references.bib")
    shutil.copyfile(real / "_config.yml", root / "_config.yml")
    (root / "_toc.yml").write_text("format: jb-book\nroot: book/index\nchapters:\n  - file: notebooks/00_first\n"
                                   "  - file: notebooks/01_second\n  - file: book/made\n")
    (root / "book" / "index.md").write_text("# Start\n\nOf {{ territories }} territories {{ answer }}, and $x^2$.\n")
    (root / "book" / "made.md").write_text("# Made\n\n<!-- generated: build_report -->\n")
    release = root / "data" / "release"
    (release / "facts.json").write_text(json.dumps({"answer": "forty-two answered"}))
    (release / "manifest.json").write_text(json.dumps({"profile": "world"}))
    write_notebook(root / "notebooks", "00_first.ipynb", "print(profile, seed)")
    write_notebook(root / "notebooks", "01_second.ipynb", "print(6 * 7)")
    places = {"ROOT": root, "CONFIG": root / "config", "DATA": root / "data", "NOTEBOOKS": root / "notebooks",
              "BOOK": root / "book", "REGISTRY": root / "data" / "registry.csv", "RELEASE": release,
              "BUILD": root / "_build"}
    places |= {name: root / "_build" / name.lower() for name in ("ARTIFACTS", "EXECUTED", "STAGE", "HTML")}
    places["COUNTRIES"] = root / "_build" / "countries"
    for name, place in places.items():
        monkeypatch.setattr(paths, name, place)
    return root
