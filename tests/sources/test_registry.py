"""The registry and its paths."""
import pandas as pd
import pytest

from humanflows import paths
from humanflows.errors import SchemaError, SourceFileError
from humanflows.sources.registry import COLUMNS, about, check_path, files, registry


def write(folder, **columns):
    row = {"path": "a/b.csv", "bytes": 1, "sha256": "0" * 64, "url": "http://x/b.csv", "source": "s", "licence": "l",
           "vintage": "v"} | columns
    pd.DataFrame([row]).to_csv(folder / "registry.csv", index=False)
    return folder / "registry.csv"


def test_every_file_has_an_address_a_digest_a_licence_and_a_vintage():
    frame = registry()
    assert list(frame.columns) == [*COLUMNS, "group"]
    assert frame["path"].is_unique and len(frame) > 150
    assert frame["url"].str.fullmatch(r"https://\S+").all()
    assert frame["url"].str.contains(r"/[0-9a-f]{40}/").all(), "every address pins a commit"
    assert frame["sha256"].str.fullmatch("[0-9a-f]{64}").all() and (frame["bytes"] > 0).all()
    assert (frame[["source", "licence", "vintage"]] != "").all().all()


def test_lookup_by_group_prefix_and_path():
    assert len(files("undesa_imfsc_2015")) == 45
    assert files("undesa_ims/gdidata_undesa_stocks_2024") == ["undesa_ims/gdidata_undesa_stocks_2024rev.rda"]
    assert about("unhcr/flows.rda")["licence"] == "CC BY 4.0"
    with pytest.raises(SourceFileError, match=r"no registered file"):
        files("nonsense")
    with pytest.raises(SourceFileError, match=r"not in the registry"):
        about("unhcr/nonsense.rda")


@pytest.mark.parametrize("path", ["../secret", "a/../../b", "/etc/passwd", "~/x", "a\\b", "C:/x", "", "a\nb"])
def test_unsafe_paths_are_refused(path, tmp_path):
    with pytest.raises(SourceFileError, match=r"unsafe path"):
        check_path(path)
    if path:
        with pytest.raises(SourceFileError, match=r"unsafe path"):
            registry(write(tmp_path, path=path))


def test_registry_with_a_bad_digest_or_column_is_refused(tmp_path):
    with pytest.raises(SchemaError, match=r"not a sha256"):
        registry(write(tmp_path, sha256="abc"))
    other = tmp_path / "other.csv"
    pd.DataFrame({"path": ["a"], "bytes": [1]}).to_csv(other, index=False)
    with pytest.raises(SchemaError, match=r"lacks the columns"):
        registry(other)


def test_data_readme_names_every_file_with_its_digest():
    text = (paths.DATA / "README.md").read_text(encoding="utf-8")
    for row in registry().itertuples():
        assert row.path in text and row.sha256 in text and row.vintage in text
