"""The registry and its paths."""
import pandas as pd
import pytest

from humanflows import paths
from humanflows.errors import SchemaError, SourceFileError
from humanflows.sources.registry import COLUMNS, about, check_path, files, registry


def write(folder, **columns):
    row = {"path": "a/b.csv", "bytes": 1, "sha256": "0" * 64, "url": "https://x/b.csv", "source": "s", "licence": "l",
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


@pytest.mark.parametrize("url", ["http://x/b.csv", "ftp://x/b.csv", "file:///etc/passwd", "https:///b.csv", "x/b.csv",
                                 "", "https://x y/b.csv", "https://me:word@x/b.csv", "https://x:0/b", "https://x:99999/b"])
def test_addresses_are_of_https(tmp_path, url):
    with pytest.raises(SourceFileError) as caught:
        registry(write(tmp_path, url=url))
    assert caught.value.key == "a/b.csv"


@pytest.mark.parametrize("size", [0, -1, 10**15, "many", "1.5", ""])
def test_sizes_are_numbers_of_bytes(tmp_path, size):
    with pytest.raises(SchemaError):
        registry(write(tmp_path, bytes=size))


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", "path,bytes,source\n\u00e9,1,x\n".encode("latin-1"), b"\x00",
                                     b"\xff\xfe"])
def test_what_is_no_registry_is_refused_by_name(tmp_path, content):
    file = tmp_path / "registry.csv"
    file.write_bytes(content)
    with pytest.raises(SchemaError) as caught:
        registry(file)
    assert caught.value.file == str(file)
