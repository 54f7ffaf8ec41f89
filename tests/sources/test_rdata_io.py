"""R data files: the faster decoding gives what the package itself gives."""
import gzip
import lzma

import pandas as pd
import pytest
import rdata

from humanflows.errors import SourceFileError
from humanflows.sources.rdata_io import read_frame, read_rda, read_rds


@pytest.fixture
def file(tmp_path):
    frame = pd.DataFrame({"text": pd.Series(["FRA", "NA", "FRA", "Türkiye", None], dtype=object),
                          "whole": pd.Series([1, 2, None, 4, 5], dtype="Int32"),
                          "number": [1.5, 2, float("nan"), 0, -1],
                          "kind": pd.Series(["a", "b", "a", "a", "b"], dtype="category")})
    rdata.write_rda(tmp_path / "sample.rda", {"frame": frame, "again": frame.head(2)})
    rdata.write_rds(tmp_path / "sample.rds", frame)
    return tmp_path / "sample.rda"


def test_same_as_the_package(file):
    own, theirs = read_rda(file), rdata.read_rda(file)
    assert list(own) == list(theirs) == ["frame", "again"]
    for name in own:
        pd.testing.assert_frame_equal(own[name], theirs[name])
    pd.testing.assert_frame_equal(read_rds(file.with_suffix(".rds")), rdata.read_rds(file.with_suffix(".rds")))
    assert own["frame"]["text"].tolist()[:4] == ["FRA", "NA", "FRA", "Türkiye"], "Namibia is not missing"
    assert pd.isna(own["frame"]["text"].iloc[4])


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress])
def test_compression_is_recognised(file, compress):
    content = file.read_bytes()
    plain = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
    expected = read_rda(file)["frame"]
    file.write_bytes(compress(plain))
    pd.testing.assert_frame_equal(read_rda(file)["frame"], expected)


def test_what_is_asked_for_must_be_there(file):
    assert list(read_frame(file, "frame", ["number", "text"]).columns) == ["number", "text"]
    with pytest.raises(SourceFileError, match="holds no object 'other'"):
        read_frame(file, "other", ["text"])
    with pytest.raises(SourceFileError, match="lacks the columns"):
        read_frame(file, "frame", ["text", "nothing"])
    with pytest.raises(SourceFileError, match="one unnamed object"):
        read_rda(file.with_suffix(".rds"))


def test_damage_anywhere_is_one_kind_of_error(file):
    content = file.read_bytes()
    for length in range(0, len(content) - 1, max(1, len(content) // 25)):
        file.write_bytes(content[:length])
        with pytest.raises(SourceFileError, match=r"sample\.rda.*Remedy"):
            read_rda(file)


@pytest.mark.sources
@pytest.mark.filterwarnings("ignore:Missing constructor")
def test_same_as_the_package_on_a_real_file(source_file):
    file = source_file("cepii_geodist/geo_cepii.rda")
    pd.testing.assert_frame_equal(read_rda(file)["geo_cepii"], rdata.read_rda(file)["geo_cepii"])
