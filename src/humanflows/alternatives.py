"""What readers of screens are given of a notebook: a text for each figure, and no head of a table that says nothing.

A figure's text is, in this order: what ``notebooks/alternatives.yml`` says of its cell; its caption, which is what the
prose after it begins with in italics or bold; the first sentence of that prose.
"""
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import nbformat
import yaml

from .errors import ConfigError

FILE = "alternatives.yml"       # beside the notebooks
AHEAD = 2       # cells after a figure in which the prose about it begins
_CAPTION = re.compile(r"(\*{1,2})(?! )(.+?)(?<! )\1(?!\*)", re.DOTALL)
_SENTENCE = re.compile(r".*?[.!?](?=\s+[A-Z0-9*{\[(]|\s*$)", re.DOTALL)
_GLUED = re.compile(r"\{glue:text\}`([^`:]+)(?::[^`]*)?`")
_ROLE = re.compile(r"\s*\{cite(?::\w+)?\}`[^`]*`|\{[\w:-]+\}(?=`)")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_MARKS = re.compile(r"[*`$]+|(?<!\w)_|_(?!\w)")
_NOTHING = r"(?:\s|&nbsp;|&#160;|\u00a0|<br\s*/?>|<p>|</p>)*"
_EMPTY_HEAD = re.compile(rf"<th\b([^>]*)>{_NOTHING}</th>")
_HEAD_OF_NOTHING = re.compile(rf"<thead>\s*<tr[^>]*>\s*(?:<th\b[^>]*>{_NOTHING}</th>\s*)+</tr>\s*</thead>")


def read_alternatives(folder: Path) -> dict[str, dict[str, list[str]]]:
    """Texts that are written by hand, by name of the notebook and id of the cell; none where there is no such file.

    Raises
    ------
    ConfigError
        When the file is no such table.
    """
    file = Path(folder) / FILE
    if not file.is_file():
        return {}
    try:
        table = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(file, f"not readable as YAML ({type(error).__name__})", "mend it") from error
    whole = isinstance(table, Mapping) and all(
        isinstance(cells, Mapping) and all(isinstance(texts, list) and texts and all(
            isinstance(t, str) and t.strip() for t in texts) for texts in cells.values()) for cells in table.values())
    if not whole:
        raise ConfigError(file, "not a list of texts for each cell of each notebook", "see its first lines")
    return table


def describe_figures(notebook: nbformat.NotebookNode, file: Path) -> None:
    """Give every figure among a notebook's outputs its text alternative, as MyST-NB wants it.

    MyST-NB knows one text for a cell: of a cell with several figures all but the first move to cells of their own.

    Parameters
    ----------
    notebook : executed; it is changed.
    file : the notebook of the project, which lies beside the texts written by hand.

    Raises
    ------
    ConfigError
        For a figure without any text, and more texts than a cell has figures.
    """
    written = read_alternatives(file.parent).get(file.stem, {})
    glued, cells = _glued(notebook), []
    for k, cell in enumerate(notebook.cells):
        parts = _split(cell)
        texts = written.get(cell.id, [])
        if parts and len(texts) > len(parts):
            raise ConfigError(file.parent / FILE, f"{len(texts)} texts for {len(parts)} figures", "leave some out",
                              key=f"{file.stem}, {cell.id}")
        for part, text in zip(parts, [*texts, *[None] * (len(parts) - len(texts))]):
            text = text or _of_prose(notebook.cells[k + 1:k + 1 + AHEAD], glued)
            if not text:
                raise ConfigError(file, "a figure without a text alternative", "begin the prose after it with a "
                                  f"caption in italics, or say in {FILE} what it shows", key=f"cell {cell.id}")
            part.metadata.setdefault("mystnb", {}).setdefault("image", {})["alt"] = " ".join(text.split())
        cells += parts or [cell]
    notebook.cells = cells


def mend_heads(html: str) -> str:
    """A page whose tables have no empty head: pandas and Markdown write one where there is nothing to say.

    A row of empty heads is left out, a single one becomes a plain cell.
    """
    return _EMPTY_HEAD.sub(r"<td\1></td>", _HEAD_OF_NOTHING.sub("", html))


def mend_pages(folder: Path) -> None:
    """:func:`mend_heads` in every page of a folder."""
    for file in Path(folder).rglob("*.html"):
        text = file.read_text(encoding="utf-8")
        if (mended := mend_heads(text)) != text:
            file.write_text(mended, encoding="utf-8")


def _is_figure(output: Mapping) -> bool:
    return any(kind.startswith("image/") for kind in output.get("data", {}))


def _split(cell: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """The cell as cells with one figure each; none for a cell without figures."""
    outputs = cell.get("outputs", [])
    at = [k for k, output in enumerate(outputs) if _is_figure(output)]
    if not at:
        return []
    ends = [*(k + 1 for k in at[:-1]), len(outputs)]
    cell.outputs = outputs[:ends[0]]
    # MyST-NB skips cells without source.
    more = [nbformat.v4.new_code_cell("# the next figure", id=f"{cell.id}-{n}", outputs=outputs[begin:end],
                                      metadata={"tags": ["remove-input"]})
            for n, (begin, end) in enumerate(pairwise(ends), start=2)]
    return [cell, *more]


def _of_prose(cells: list[nbformat.NotebookNode], glued: Mapping[str, str]) -> str:
    """Caption or first sentence of the first prose among cells; nothing where there is none."""
    prose = next((c.source for c in cells if c.cell_type == "markdown"), "").strip()
    paragraph = prose.split("\n\n")[0]
    found = _CAPTION.match(paragraph)
    sentence = found[2] if found else (m[0] if (m := _SENTENCE.match(paragraph)) else paragraph)
    return "" if paragraph.startswith(("#", ":::", "|", "- ", "```")) else _plain(sentence, glued)


def _plain(text: str, glued: Mapping[str, str]) -> str:
    """Markdown as it is read aloud: glued values in their places, without marks."""
    text = _GLUED.sub(lambda m: glued.get(m[1], m[1]), text)
    return " ".join(_MARKS.sub("", _LINK.sub(r"\1", _ROLE.sub("", text))).split())


def _glued(notebook: nbformat.NotebookNode) -> dict[str, str]:
    """Values that the code gives to the prose, by name, as the page writes them."""
    out = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            about = output.get("metadata", {}).get("scrapbook", {})
            text = output.get("data", {}).get(f"{about.get('mime_prefix', '')}text/plain")
            if about.get("name") and text is not None:
                text = "".join(text)
                out[about["name"]] = text[1:-1] if text[:1] == text[-1:] and text[:1] in ("'", '"') else text
    return out
