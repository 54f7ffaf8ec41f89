"""Which pages are made, and that what is interrupted or stale never counts as a page."""
import shutil
import subprocess
import sys

import pytest

from humanflows import artifacts, locks
from humanflows.countries import build, build_countries, page_files, read_index
from humanflows.errors import ArtifactError, InputError, UnknownTerritoryError

from .conftest import CODES, list_files, write_release


@pytest.fixture
def folder(pages, tmp_path):
    """A copy of the pages, to be spoiled."""
    return shutil.copytree(pages, tmp_path / "pages")


@pytest.fixture
def made(monkeypatch):
    """Codes of the territories whose pages are made; making one takes no time."""
    codes = []

    def make(code, target, release, inputs, of, refresh):
        codes.append(code)
        file = artifacts.write_text(target / f"{code}.md", f"# {code}\n")
        artifacts.write_manifest(file, made_by=build.MADE_BY, inputs={**inputs, "rows": code}, release=of, files={},
                                 row={"code": code, "name": code})
        return code, True

    monkeypatch.setattr(build, "make_country", make)
    return codes


def test_what_is_fresh_is_skipped(folder, release, made):
    built = build_countries(folder, release, workers=1)
    assert (built.made, built.fresh) == (0, len(CODES)) and not made
    (folder / "SYR_totals.svg").unlink()
    (folder / "DEU.md").write_text("# Changed by hand\n")
    assert build_countries(folder, release, workers=1).made == 2 and sorted(made) == ["DEU", "SYR"]
    made.clear()
    assert build_countries(folder, release, workers=1, refresh=True).made == len(CODES) == len(made)


def test_another_release_makes_all_pages_anew(folder, release, tmp_path, made):
    other = shutil.copytree(release, tmp_path / "other")
    (other / "CHANGELOG.md").write_text("## 2.0.0\n")
    list_files(other)
    assert build_countries(folder, other, workers=1).made == len(CODES)


def test_of_another_release_only_pages_whose_part_differs_are_made(folder, release, tmp_path):
    def triple(flow):
        flow[2, CODES.index("SYR"), CODES.index("TUV")] *= 3

    other = write_release(tmp_path / "other", change=triple)
    before = {f.name: f.read_bytes() for f in page_files(folder)}
    built = build_countries(folder, other, workers=1)
    assert (built.made, built.fresh) == (2, len(CODES) - 2)
    changed = {f.name[:3] for f in page_files(folder) if f.read_bytes() != before[f.name]}
    assert changed == {"SYR", "TUV"}
    assert build_countries(folder, other, workers=1).made == 0


def test_intervals_of_totals_belong_to_a_page(folder, release, tmp_path):
    other = shutil.copytree(release, tmp_path / "other")
    lines = (other / "sums.csv").read_text().splitlines()
    at = next(k for k, line in enumerate(lines) if line.startswith("into,World,NLD,2020,"))
    lines[at] = lines[at].rpartition(",")[0] + ",999999"
    (other / "sums.csv").write_text("\n".join(lines) + "\n")
    list_files(other)
    assert build_countries(folder, other, workers=1).made == 1


def test_a_page_lives_through_a_change_of_the_release_within_one_process(folder, release, tmp_path):
    """What a process has opened of a release must not be taken for the release as it is now."""
    def more(flow):
        flow[:, :, CODES.index("NLD")] *= 7

    other = shutil.copytree(release, tmp_path / "other")
    assert build_countries(folder, other, only=["NLD"], refresh=True, workers=1).made == 1
    before = (folder / "NLD.md").read_bytes()
    write_release(other, change=more)
    assert build_countries(folder, other, only=["NLD"], workers=1).made == 1
    assert (folder / "NLD.md").read_bytes() != before


def test_two_builds_in_one_folder_are_one_too_many(folder, release):
    code = f"from humanflows.countries import build_countries; build_countries({str(folder)!r}, {str(release)!r})"
    with locks.alone_in(folder):
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert other.returncode == 1 and "ArtifactError" in other.stderr.splitlines()[-1]


def test_other_code_makes_all_pages_anew(folder, release, made, monkeypatch):
    monkeypatch.setattr(artifacts, "code_digest", lambda *_: "other")
    assert build_countries(folder, release, workers=1).made == len(CODES)


def test_templates_and_names_count_as_inputs(release, monkeypatch, tmp_path):
    answers = build.Answers(release)
    before = build.inputs_of(answers)
    names = tmp_path / "territories.csv"
    names.write_bytes(build.paths.TERRITORIES.read_bytes() + b"\n")
    monkeypatch.setattr(build.paths, "TERRITORIES", names)
    assert build.inputs_of(answers)["names"] != before["names"]
    monkeypatch.setattr(build, "OTHER_CODE", build.OTHER_CODE[:1])
    assert build.inputs_of(answers)["templates"] != before["templates"]


def test_some_territories_by_name(folder, release, made):
    built = build_countries(folder, release, only=["netherlands", "TUV"], refresh=True, workers=1)
    assert built.made == 2 and sorted(made) == ["NLD", "TUV"] and len(read_index(folder)) == len(CODES)
    with pytest.raises(UnknownTerritoryError, match="did you mean"):
        build_countries(folder, release, only=["Netherland"], workers=1)


def test_the_target_must_be_a_folder(release, made, tmp_path):
    file = tmp_path / "file"
    file.write_text("keep")
    for target in (file, file / "below"):
        with pytest.raises(InputError):
            build_countries(target, release, only=["TUV"], workers=1)
    assert file.read_text() == "keep" and not made


def test_an_interrupted_build_leaves_no_half_page(folder, release, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(build.page, "render_page", stop)
        with pytest.raises(KeyboardInterrupt):
            build_countries(folder, release, only=["SYR"], refresh=True, workers=1)
    assert {r["code"] for r in read_index(folder)} == set(CODES) - {"SYR"}
    assert not [f for f in page_files(folder) if f.name.startswith("SYR")]
    assert not [f for f in folder.iterdir() if f.name.startswith(".") and f.name != locks.NAME]
    assert build_countries(folder, release, workers=1).made == 1
    assert {r["code"] for r in read_index(folder)} == set(CODES)


def test_pages_of_territories_that_are_gone_are_removed(folder, release, made):
    for name in ("XYZ.md", "XYZ.json"):
        (folder / name).write_text("x")
    artifacts.write_manifest(folder / "XYZ.md", made_by=build.MADE_BY, inputs={}, files={"XYZ.json": 1},
                             row={"code": "XYZ", "name": "X"})
    build_countries(folder, release, workers=1)
    assert not list(folder.glob("XYZ*")) and len(read_index(folder)) == len(CODES)


def test_a_folder_without_pages(tmp_path):
    with pytest.raises(ArtifactError, match="run humanflows countries first"):
        read_index(tmp_path)


def test_the_same_release_makes_the_same_files(folder, release):
    before = {f.name: f.read_bytes() for f in page_files(folder) if f.name.startswith("TUV")}
    assert len(before) == 8
    build_countries(folder, release, only=["TUV"], refresh=True, workers=1)
    assert {f.name: f.read_bytes() for f in page_files(folder) if f.name.startswith("TUV")} == before


@pytest.mark.slow
def test_processes_make_what_one_makes(release, pages, tmp_path):
    built = build_countries(tmp_path, release, only=["TUV", "SYR"], workers=2)
    assert built.made == 2 and (tmp_path / "SYR.md").read_bytes() == (pages / "SYR.md").read_bytes()
