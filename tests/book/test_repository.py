"""What the repository says about itself agrees with what it is."""
import json
import re
import subprocess

import pytest
import yaml

from humanflows import book, paths
from humanflows.config import load_config
from humanflows.territories import codes


def files_in_toc():
    toc = yaml.safe_load((paths.ROOT / "_toc.yml").read_text(encoding="utf-8"))
    return [toc["root"], *(c["file"] for part in toc["parts"] for c in part["chapters"])]


def test_table_of_contents_lists_every_page_once():
    pages = [f"book/{p.stem}" for p in paths.BOOK.glob("*.md")]
    notebooks = [f"notebooks/{n.stem}" for n in book.notebooks()]
    assert sorted(files_in_toc()) == sorted(pages + notebooks)
    # In the order of their numbers, but for those that draw the release: they stand with its results.
    told = {f"notebooks/{n.stem}" for n in book.notebooks() if not book.is_of_the_release(n)}
    assert [f for f in files_in_toc() if f in told] == [n for n in notebooks if n in told]


@pytest.mark.parametrize("notebook", book.notebooks(), ids=lambda n: n.stem)
def test_parameters_cell_is_the_default_profile(notebook):
    config = load_config("twin").as_dict()
    declared = book.declared_parameters(notebook)
    assert declared == {name: None if name in book.CHOICES else config[name] for name in declared}
    assert declared["profile"] == "twin"


def test_every_reference_is_cited_or_listed_and_keys_exist():
    keys = set(re.findall(r"^@\w+\{(\w+),", (paths.BOOK / "references.bib").read_text(encoding="utf-8"), re.M))
    texts = [p.read_text(encoding="utf-8") for p in paths.BOOK.glob("*.md")]
    cited = {k.strip() for t in texts for group in re.findall(r"\{cite:[pt]\}`([^`]+)`", t) for k in group.split(",")}
    assert cited <= keys and len(cited) > 5


def test_readme_speaks_of_this_project():
    text = (paths.ROOT / "README.md").read_text(encoding="utf-8")
    world = load_config("world")
    assert f"{len(codes())} territories" in text and f"from {world.first_year} to {world.last_year}" in text
    makefile = (paths.ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"make ([a-z]+)", text)):
        assert re.search(rf"^{target}:", makefile, re.M), f"README names make {target}"
    for link in re.findall(r"\]\(([^)]+)\)", text):
        assert link.startswith("http") or (paths.ROOT / link).exists(), f"README links to {link}"


def test_citation_has_the_version_and_the_paper():
    from humanflows import __version__

    entry = yaml.safe_load((paths.ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert entry["version"] == __version__
    assert entry["references"][0]["title"] == "Deep learning four decades of human migration"


def test_help_lists_every_target():
    shown = subprocess.run(["make", "--no-print-directory", "help"], cwd=paths.ROOT, capture_output=True, text=True,
                           check=True).stdout
    phony = re.search(r"^\.PHONY: (.*)$", (paths.ROOT / "Makefile").read_text(encoding="utf-8"), re.M)[1].split()
    assert all(f"make {target} " in shown for target in phony) and "PROFILE=twin" in shown


def test_vendored_mathjax_is_the_pinned_one():
    script = (paths.ROOT / "scripts" / "vendor_mathjax.sh").read_text(encoding="utf-8")
    wanted = re.search(r"^version=(.*)$", script, re.M)[1]
    vendored = (paths.BOOK / "_vendor" / "mathjax" / "tex-mml-chtml.js").read_text(encoding="utf-8")
    assert f'VERSION="{wanted}"' in vendored or f'version:"{wanted}"' in vendored or f'"{wanted}"' in vendored
    assert "Apache License" in (paths.BOOK / "_vendor" / "mathjax" / "LICENSE").read_text(encoding="utf-8")


def test_facts_that_pages_use_exist():
    facts = book.load_facts()
    used = {(p.name, key) for p in paths.BOOK.glob("*.md") for key in book.used_facts(p.read_text(encoding="utf-8"))}
    assert used and not {u for u in used if u[1] not in facts}


def test_notebooks_are_committed_without_run_metadata():
    for file in book.notebooks():
        text = json.loads(file.read_text(encoding="utf-8"))
        assert "papermill" not in text["metadata"], file.name
        for cell in text["cells"]:
            kept = {"nbval-check-output", "keep_output"} & set(cell["metadata"].get("tags", []))
            assert kept or not cell.get("outputs"), f"{file.name} holds outputs of an unchecked cell"
