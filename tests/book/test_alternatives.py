"""Every figure of a notebook has a text that says what it shows, and no table has a head that says nothing."""
import re

import nbformat
import pytest

from humanflows import alternatives, book, paths
from humanflows.alternatives import describe_figures, mend_heads
from humanflows.errors import ConfigError

from .test_stage import pretend_executed

V4 = nbformat.v4
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def figure():
    return V4.new_output("display_data", {"image/png": PIXEL, "text/plain": "<Figure size 1x1>"})


def glue(name, value):
    kind = "application/papermill.record/"
    return V4.new_output("display_data", {f"{kind}text/plain": repr(value)},
                         metadata={"scrapbook": {"name": name, "mime_prefix": kind}})


def text_of(tmp_path, *after, outputs=None, written=""):
    """Texts of the figures of a cell that is followed by prose, and the cells that they belong to."""
    (tmp_path / alternatives.FILE).write_text(written) if written else None
    cell = V4.new_code_cell("draw()", id="draw", outputs=[figure()] if outputs is None else outputs)
    notebook = V4.new_notebook(cells=[V4.new_markdown_cell("# A title"), cell,
                                      *(V4.new_markdown_cell(t) if t else V4.new_code_cell("1") for t in after)])
    describe_figures(notebook, tmp_path / "00_first.ipynb")
    nbformat.validate(notebook)
    return [c.metadata["mystnb"]["image"]["alt"] for c in notebook.cells if "mystnb" in c.metadata], notebook


@pytest.mark.parametrize(("prose", "text"), [
    ("*A curve that falls.* It falls, because.", "A curve that falls."),
    ("**Arrivals, 2014\u20132023.** Lines are *ours*.", "Arrivals, 2014\u20132023."),
    ("*Two\nlines; the `dark` one is {cite:p}`abel2019` the truth.*", "Two lines; the dark one is the truth."),
    ("Look first at the order: who is first? Then at the rest.", "Look first at the order: who is first?"),
    ("In {glue:text}`moves` of [all](x.md) corridors R is 0.5. More.", "In 1,234 of all corridors R is 0.5."),
    ("The median of log_r is $n$", "The median of log_r is n"),
])
def test_a_figure_is_told_by_its_caption_or_by_the_sentence_after_it(tmp_path, prose, text):
    assert text_of(tmp_path, prose, outputs=[glue("moves", "1,234"), figure()])[0] == [text]


def test_prose_may_come_after_one_more_cell_of_code(tmp_path):
    assert text_of(tmp_path, "", "It falls. And so on.")[0] == ["It falls."]


def test_what_is_written_by_hand_comes_first_and_each_figure_of_a_cell_has_its_own(tmp_path):
    written = "00_first:\n  draw: [A curve., A map of it.]\n"
    outputs = [glue("a", "1"), figure(), V4.new_output("stream", text="x"), figure(), V4.new_output("stream", text="y")]
    texts, notebook = text_of(tmp_path, "Prose.", outputs=outputs, written=written)
    assert texts == ["A curve.", "A map of it."]
    first, second = notebook.cells[1:3]
    assert first.source == "draw()" and second.metadata["tags"] == ["remove-input"]
    assert first.outputs + second.outputs == outputs and first.outputs == outputs[:2]


@pytest.mark.parametrize("after", [(), ("## The next section",), (":::{note}\nx\n:::",), ("", "", "Too late.")])
def test_a_figure_without_words_stops_the_book(tmp_path, after):
    with pytest.raises(ConfigError, match=r"without a text alternative.*cell draw"):
        text_of(tmp_path, *after)


@pytest.mark.parametrize("written", ["00_first: [x]", "- x", "00_first:\n  draw: x", "00_first:\n  draw: ['']",
                                     "a: b: c", "00_first:\n  draw: [x, y]"])
def test_a_damaged_or_overlong_list_is_named(tmp_path, written):
    with pytest.raises(ConfigError, match=re.escape(alternatives.FILE)):
        text_of(tmp_path, "Prose.", written=written)


def test_texts_written_by_hand_are_of_cells_that_there_are():
    table = alternatives.read_alternatives(paths.NOTEBOOKS)
    assert table
    for name, cells in table.items():
        notebook = nbformat.read(paths.NOTEBOOKS / f"{name}.ipynb", as_version=4)
        code = {c.id for c in notebook.cells if c.cell_type == "code"}
        assert set(cells) <= code, name
        for text in (t for texts in cells.values() for t in texts):
            # no number is typed that a run might change, and nobody listens to a page of it
            assert 20 < len(text) <= 250 and not re.search(r"\d", text) and text.endswith("."), text


def test_heads_without_words_become_cells_and_a_row_of_them_goes():
    pandas = ('<thead><tr style="text-align: right;"><th></th><th>flow</th></tr><tr><th>year</th><th></th></tr></thead>'
              '<tbody><tr><th>2000</th><td>1</td></tr></tbody>')
    assert mend_heads(pandas) == pandas.replace("<th></th>", "<td></td>")
    assert mend_heads('<th class="blank" >&nbsp;</th>') == '<td class="blank" ></td>'
    myst = '<table>\n<thead>\n<tr class="row-odd"><th class="head"><p></p></th>\n<th class="head"><p></p></th>\n</tr>\n'
    assert mend_heads(f"{myst}</thead>\n<tbody></tbody></table>") == "<table>\n\n<tbody></tbody></table>"
    kept = "<thead><tr><th><p>a</p></th><th><img src='x' alt='y'></th></tr></thead>"
    assert mend_heads(kept) == kept


@pytest.mark.slow
def test_the_built_page_has_them(project):
    for name in ("00_first.ipynb", "01_second.ipynb"):
        file = pretend_executed(name)
        notebook = nbformat.read(file, as_version=4)
        notebook.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
        nbformat.write(notebook, file)
    notebook.cells[0].source += "\n\n| | |\n|---|---|\n| Question | Why? |"
    table = ("<table><thead><tr><th></th><th>flow</th></tr></thead>"
             "<tbody><tr><th>0</th><td>1</td></tr></tbody></table>")
    notebook.cells[-1].outputs = [figure(), figure(), V4.new_output("display_data", {"text/html": table})]
    notebook.cells.append(V4.new_markdown_cell("*A curve that falls.* So it is."))
    nbformat.write(notebook, file)
    book.build_html("twin")
    page = (paths.HTML / "notebooks" / "01_second.html").read_text(encoding="utf-8")
    images = [m for m in re.findall(r"<img[^>]*>", page) if "_images/" in m]
    assert len(images) == 2 and all('alt="A curve that falls."' in m for m in images)
    assert "Question" in page and "<th>flow</th>" in page and not re.search(r"<th\b[^>]*>(?:\s|<p>|</p>)*</th>", page)
