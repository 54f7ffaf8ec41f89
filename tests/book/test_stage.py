"""What staging adds: banner, facts, generated parts; and what it takes away."""
import json

import nbformat
import pytest
import yaml

from humanflows import artifacts, book, paths
from humanflows.book import digests, staging
from humanflows.config import load_config
from humanflows.errors import ArtifactError, ConfigError
from humanflows.results.headline import OF_ALL, OF_ONE
from humanflows.results.protocol_tables import compact_protocols, write_protocols

from .conftest import write_notebook


def pretend_executed(name, profile="twin"):
    """Put a notebook where executed ones are, as papermill would leave it, without running it."""
    source = nbformat.read(paths.NOTEBOOKS / name, 4)
    cell = nbformat.v4.new_code_cell(f'profile = "{profile}"\nseed = 1', metadata={"tags": ["injected-parameters"]})
    source.cells.insert(2, cell)
    source.metadata["papermill"] = {"input_path": "/somewhere/secret.ipynb"}
    target = paths.EXECUTED / profile / name
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(source, target)
    artifacts.write_manifest(target, made_by="test", inputs={}, profile=profile, seconds=1.5, seed=1,
                             parameters={"profile": profile, "seed": 1})
    return target


@pytest.fixture
def executed(project):
    for profile in ("twin", "world"):
        for name in ("00_first.ipynb", "01_second.ipynb"):
            pretend_executed(name, profile)
    return project


@pytest.mark.parametrize(("profile", "css", "other"), [("twin", "simulated", "real"), ("world", "real", "simulated")])
def test_banner_follows_the_manifest_below_the_title(executed, profile, css, other):
    staged = nbformat.read(book.stage(profile) / "notebooks" / "00_first.ipynb", 4)
    lines = staged.cells[0].source.splitlines()
    assert lines[0] == "# A title" and lines[2].startswith("::::{admonition}") and lines[3] == f":class: {css}"
    assert f":class: {other}" not in lines and lines[-1] == "Some prose."
    assert "admonition" not in (paths.NOTEBOOKS / "00_first.ipynb").read_text()


def test_injected_parameters_show_only_where_they_differ(executed):
    def cells(profile):
        return [c.source for c in nbformat.read(book.stage(profile) / "notebooks" / "00_first.ipynb", 4).cells]

    assert len(cells("twin")) == 3
    assert len(cells("world")) == 4 and 'profile = "world"' in cells("world")[2]


def test_folders_of_this_machine_do_not_get_into_the_book(executed):
    assert "secret" not in (book.stage() / "notebooks" / "00_first.ipynb").read_text()


def test_facts_become_substitutions(executed):
    config = yaml.safe_load((book.stage() / "_config.yml").read_text())
    facts = config["sphinx"]["config"]["myst_substitutions"]
    assert facts["answer"] == "forty-two answered" and facts["territories"] == "231"
    assert facts["first_year"] == str(load_config("world").first_year)


def test_unknown_fact_stops_the_build(executed):
    (paths.BOOK / "made.md").write_text("# Made\n\nAbout {{ anwser }} of them.\n")
    with pytest.raises(ConfigError, match=r"made.md: unknown fact 'anwser'.*did you mean 'answer'"):
        book.stage()


def test_substitutions_in_code_are_text(executed):
    page = "`{{ a }}` and {{ b }}\n\n```bash\necho {{ c }}\n```\n\n```{note}\n{{ d }}\n```\n"
    assert book.used_facts(page) == ["b", "d"]


@pytest.mark.parametrize("facts", [{"answer": 42}, {"the answer": "42"}])
def test_facts_are_named_strings(executed, facts):
    (paths.RELEASE / "facts.json").write_text(json.dumps(facts))
    with pytest.raises(ConfigError, match="must be an identifier with a string"):
        book.stage()


def test_unknown_generated_part(executed):
    (paths.BOOK / "made.md").write_text("# Made\n\n<!-- generated: weather -->\n")
    with pytest.raises(ConfigError, match=r"unknown generated part 'weather'.*build_report"):
        book.stage()


def count_stages(monkeypatch):
    times, real = [], staging._stage
    monkeypatch.setattr(staging, "_stage", lambda *given: (times.append(given), real(*given))[1])
    return times


@pytest.mark.parametrize("what", ["page", "data", "executed", "artifact", "notebook", "toc", "country", "config",
                                  "stage", "packages", "profile"])
def test_pages_are_staged_again_when_anything_differs(executed, monkeypatch, what):
    country = paths.COUNTRIES / "COL.md"
    country.parent.mkdir(parents=True)
    country.write_text("# Colombia\n")
    times = count_stages(monkeypatch)
    for _ in range(2):
        assert book.stage() == paths.STAGE
    assert len(times) == 1
    changed = {"page": paths.BOOK / "index.md", "data": paths.DATA / "release" / "figures" / "title.svg",
               "executed": paths.EXECUTED / "twin" / "00_first.txt", "artifact": paths.ARTIFACTS / "world" / "panel.nc",
               "notebook": paths.NOTEBOOKS / "00_first.ipynb", "toc": paths.ROOT / "_toc.yml", "country": country,
               "config": paths.CONFIG / "world.yaml", "stage": paths.STAGE / "book" / "index.md"}
    if what in changed:
        changed[what].parent.mkdir(parents=True, exist_ok=True)
        changed[what].write_text((changed[what].read_text() if changed[what].is_file() else "") + "\n")
    elif what == "packages":
        monkeypatch.setattr(digests, "machine", lambda: {"packages": "others"})
    profile = "world" if what == "profile" else "twin"
    book.stage(profile)
    assert len(times) == 2 and (paths.STAGE / "book" / "index.md").read_text().startswith("# Start")
    book.stage(profile)
    assert len(times) == 2
    book.stage(profile, refresh=True)
    assert len(times) == 3


def test_pages_that_could_not_be_staged_are_not_taken_for_staged(executed):
    book.stage()
    (paths.BOOK / "made.md").write_text("# Made\n\n<!-- generated: weather -->\n")
    for _ in range(2):
        with pytest.raises(ConfigError):
            book.stage()


def test_what_staging_itself_downloads_does_not_count_as_an_edit(executed, monkeypatch):
    real, times = staging._stage, []

    def download(*given):
        (paths.CACHE / "memory.json").parent.mkdir(parents=True, exist_ok=True)
        (paths.CACHE / "memory.json").write_text("{}")
        times.append(1)
        return real(*given)

    monkeypatch.setattr(paths, "CACHE", paths.BUILD / "sources")
    monkeypatch.setattr(staging, "_stage", download)
    book.stage()
    book.stage()
    assert len(times) == 1


def test_what_is_edited_while_pages_are_staged_is_staged_next_time(executed, monkeypatch):
    real = staging._stage

    def edit(*given):
        done = real(*given)
        (paths.BOOK / "index.md").write_text("# Edited\n")
        return done

    with monkeypatch.context() as patch:
        patch.setattr(staging, "_stage", edit)
        book.stage()
    assert (book.stage() / "book" / "index.md").read_text() == "# Edited\n"


@pytest.mark.parametrize("marker", [
    "<!-- generated: weather-report -->", "  <!-- generated: build_report -->", "<!--generated: build_report-->",
    "Text <!-- generated: build_report --> in a line"])
def test_a_left_over_marker_stops_the_build(executed, marker):
    (paths.BOOK / "made.md").write_text(f"# Made\n\n{marker}\n")
    with pytest.raises(ConfigError) as caught:
        book.stage()
    assert caught.value.file == "book/made.md" and "generated" in str(caught.value.key)


def test_a_marker_in_code_is_text(executed):
    (paths.BOOK / "made.md").write_text("# Made\n\nWrite `<!-- generated: name -->` for a part.\n")
    assert "generated: name" in (book.stage() / "book" / "made.md").read_text()


def test_a_cut_manifest_counts_as_none(executed):
    artifacts.manifest_path(paths.EXECUTED / "twin" / "01_second.ipynb").write_text('{"artifact": "01_sec')
    with pytest.raises(ArtifactError, match=r"01_second\.ipynb"):
        book.stage()
    assert "00_first" in book.build_report("twin") and "01_second" not in book.build_report("twin")


def test_missing_executed_notebook_names_the_step(executed):
    (paths.EXECUTED / "twin" / "01_second.ipynb").unlink()
    with pytest.raises(ArtifactError, match=r"01_second.ipynb.*make notebooks PROFILE=twin"):
        book.stage()


def test_executed_notebook_without_manifest(executed):
    artifacts.manifest_path(paths.EXECUTED / "twin" / "01_second.ipynb").unlink()
    with pytest.raises(ArtifactError, match="no manifest"):
        book.stage()


def test_notebook_without_title(executed):
    write_notebook(paths.NOTEBOOKS, "00_first.ipynb", title="No title")
    pretend_executed("00_first.ipynb")
    with pytest.raises(ConfigError, match="does not begin with a title"):
        book.stage()


def test_report_has_every_manifest(executed):
    artifact = paths.artifacts("twin") / "panel.nc"
    artifact.parent.mkdir(parents=True)
    artifact.write_bytes(b"panel")
    artifacts.write_manifest(artifact, made_by="harmonise", inputs={"a": 1}, profile="twin", seed=7, device="cuda",
                             seconds=12.34)
    text = book.build_report("twin")
    row = next(line for line in text.splitlines() if "panel.nc" in line)
    assert "| 7 | cuda | 12.3 |" in row and artifacts.sha256(artifact)[:7] in row
    for name in ("00_first", "01_second", "facts.json", "jupyter-book", "torch"):
        assert name in text
    assert "Made with profile `world`" in text


def test_release_must_name_its_profile(project):
    (paths.RELEASE / "manifest.json").write_text("{}")
    with pytest.raises(ArtifactError, match="names no profile"):
        book.release_profile()


def test_scores_are_written_one_table_per_set(project):
    (paths.RELEASE / "scores.csv").write_text(
        "collection,side,criterion,horizon,peer,n,r,log_r,abs_log_error,cpc,log_bias,within_r\n"
        "somewhere,immigration,residence,annual,humanflows,1234,0.91,0.8765,1.2,0.7,-0.1,0.5\n"
        "somewhere,immigration,residence,annual,gravity,1234,0.5,0.5,2,0.3,0.2,\n"
        "somewhere,emigration,citizenship,five_year,gravity,12,0.5,0.5,2,0.3,0.2,\n"
        "undesa_imfsc,emigration,residence,annual,gravity,99,0.4,0.4,2,0.3,0.2,0.1\n")
    text = book.scores_part()
    # The protocol's own set comes first and is not folded; those of one source are folded together.
    assert text.count("| estimates |") == 3 and text.count("{dropdown}") == 1
    said, _, tables = text.partition("\n\n")
    assert said == "*Of one fold of the corridors. Another fold would have other scores.*"
    assert tables.startswith("**International Migration Flows to and from Selected Countries, emigration, residence, ")
    folded = text.split("````{dropdown} somewhere\n")[1]
    assert "**immigration, residence, annual**" in folded and "**emigration, citizenship, five year**" in folded
    assert "| humanflows | 1,234 | 0.910 | 0.876 | 1.200 | 0.700 | -0.10 | 0.50 |" in text
    assert "| gravity | 1,234 | 0.500 | 0.500 | 2.000 | 0.300 | 0.20 | – |" in text


def test_scores_against_trusted_offices_stand_beside_those_against_all(project):
    (paths.RELEASE / "scores.csv").write_text(
        "collection,side,criterion,horizon,offices,peer,n,r,log_r,abs_log_error,median_log_error,cpc,log_bias,within_r\n"
        "undesa_imfsc,emigration,residence,annual,all,humanflows,99,0.4,0.4,2,-0.5,0.3,0.2,0.1\n"
        "undesa_imfsc,emigration,residence,annual,all,gravity,99,0.3,0.4,2,0.5,0.3,0.2,\n"
        "undesa_imfsc,emigration,residence,annual,trusted,humanflows,55,0.8,0.9,1,-0.1,0.6,0.1,0.2\n"
        "undesa_imfsc,emigration,citizenship,annual,all,humanflows,12,0.5,0.5,2,0.1,0.3,0.2,\n")
    text = book.scores_part()
    assert ("| estimates | cells | cells, trusted | R | R, trusted | log R | log R, trusted | abs. log error | "
            "abs. log error, trusted | median log error | median log error, trusted |") in text
    assert "| humanflows | 99 | 55 | 0.400 | 0.800 | 0.400 | 0.900 | 2.000 | 1.000 | -0.50 | -0.10 |" in text
    assert "| gravity | 99 | – | 0.300 | – |" in text           # who has nothing there has a dash
    assert text.count("cells, trusted") == 1                    # nobody is trusted to count moves by citizenship


def test_all_folds_lead_the_scores_where_they_are_of_this_release(project, protocol_tables):
    (paths.RELEASE / "scores.csv").write_text(
        "collection,side,criterion,horizon,peer,n,r,log_r,abs_log_error,cpc,log_bias,within_r\n"
        "undesa_imfsc,emigration,residence,annual,humanflows,77,0.4,0.4,2,0.3,0.2,0.1\n")
    write_protocols(paths.RELEASE, compact_protocols(protocol_tables))
    assert "| humanflows | 77 |" in book.scores_part() and book.load_facts()["scores_of"] == OF_ONE
    (paths.RELEASE / "manifest.json").write_text(json.dumps(
        {"profile": "world", "protocols": {"of_this_release": True}}))
    text = book.scores_part()
    assert text.startswith("*Of all folds of the corridors together, each by the member that never saw it.*")
    assert "| humanflows | 1,234 |" in text and "| 77 |" not in text
    assert book.load_facts()["emigration_own_r"] == "0.80" and book.load_facts()["scores_of"] == OF_ALL


def test_scores_with_a_missing_column(project):
    (paths.RELEASE / "scores.csv").write_text("collection,side,criterion,horizon,peer,n\n")
    with pytest.raises(ArtifactError, match=r"lacks the columns \['r', 'log_r'"):
        book.scores_part()


def test_table_keeps_bars_and_lines_inside_a_cell():
    table = book.markdown_table([{"a": "x|y\nz", "b": None}], {"a": "A", "b": "B"})
    assert table.splitlines() == ["| A | B |", "|---|---|", "| x\\|y z |  |"]


def test_title_figure_is_the_best_there_is(project):
    with pytest.raises(ArtifactError, match="no title figure"):
        book.title_figure()
    (paths.BOOK / "_static" / "title.svg").write_text("<svg/>")
    assert "_static/title.svg" in book.title_figure()
    (paths.RELEASE / "figures" / "title.png").write_bytes(b"x")
    assert "../data/release/figures/title.png" in book.title_figure()


def test_every_source_of_the_catalogue_is_listed_with_its_files():
    from humanflows.sources.catalogue import SOURCES
    from humanflows.sources.registry import registry

    text = book.sources_part()
    table = registry().set_index("path")
    for name, source in SOURCES.items():
        assert f"(source-{name.replace('_', '-')})=" in text and source.title in text
        for path in source.files:
            assert f"| `{path}` |" in text and table.at[path, "sha256"] in text


def test_the_table_of_numbers_follows_what_each_page_was_made_from(project):
    (paths.RELEASE / "manifest.json").write_text('{"profile": "world"}')
    (paths.RELEASE / "facts.json").write_text('{"total": "36 million"}')
    (paths.ROOT / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nchapters:\n  - file: book/real\n  - file: notebooks/00_first\n"
        "  - file: notebooks/01_second\n")
    (paths.BOOK / "index.md").write_text("# Welcome\n\nNo numbers.\n")
    (paths.BOOK / "real.md").write_text("# The result\n\n{{ total }} people\n")
    write_notebook(paths.NOTEBOOKS, "01_second.ipynb", "print(1)", title="# A lesson",
                   tags=("parameters", book.TWIN_ONLY))
    book.execute_notebooks("world")
    lines = {line.split("|")[1].strip(): line for line in book.numbers_part("world").splitlines() if "](" in line}
    assert "no estimates" in lines["[Welcome](../book/index)"]
    assert "**real**" in lines["[The result](../book/real)"]
    assert "**real**" in lines["[A title](../notebooks/00_first)"]
    assert "**simulated**" in lines["[A lesson](../notebooks/01_second)"]


def test_a_notebook_of_the_release_has_its_banner_under_every_profile(project):
    (paths.RELEASE / "manifest.json").write_text('{"profile": "world"}')
    toc = "format: jb-book\nroot: book/index\nchapters:\n  - file: notebooks/01_second\n"
    (paths.ROOT / "_toc.yml").write_text(toc)
    (paths.BOOK / "index.md").write_text("# Welcome\n\nNo numbers.\n")
    write_notebook(paths.NOTEBOOKS, "01_second.ipynb", "print(1)", title="# Figures",
                   tags=("parameters", book.OF_RELEASE))
    book.execute_notebooks("twin", only=["01"])
    assert "**real**" in book.numbers_part("twin")
    staged = nbformat.read(book.stage("twin") / "notebooks" / "01_second.ipynb", as_version=4)
    assert "Real sources" in staged.cells[0].source and "Simulated" not in staged.cells[0].source
