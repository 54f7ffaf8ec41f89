"""Arrays of NetCDF 4 files as the C library reads them, and no more of a hostile file than it claims to hold."""
import netCDF4
import numpy as np
import pytest

from humanflows.errors import ArtifactError
from humanflows.hdf5 import MOST_TEXTS, Arrays


def write(file, make):
    with netCDF4.Dataset(file, "w") as data:
        make(data)
    return Arrays(file.read_bytes(), file, "write it again")


@pytest.mark.parametrize("kind", ["f4", "f8", "i1", "u1", "i2", "u2", "i4", "i8", ">f4", ">i2"])
@pytest.mark.parametrize("how", [{}, {"zlib": True}, {"zlib": True, "shuffle": False}, {"contiguous": True},
                                 {"zlib": True, "chunksizes": (1, 3, 4)}])
def test_arrays_are_those_of_the_c_library(tmp_path, kind, how):
    values = np.random.default_rng(1).integers(0, 100, (3, 5, 7)).astype(kind)
    codes = ["A", "BÖ", "CCC", "", "E"]

    def make(data):
        for name, size in zip("xyz", values.shape):
            data.createDimension(name, size)
        stored = data.createVariable("v", kind, ("x", "y", "z"), **how)
        stored[:] = values
        stored.setncatts({"units": "persons", "one": np.int8(3), "some": np.arange(3)})
        data.createVariable("y", str, ("y",))[:] = np.array(codes, dtype=object)
        data.setncatts({"title": "Größe"})

    arrays = write(tmp_path / "a.nc", make)
    read = arrays.numbers("v")
    np.testing.assert_array_equal(read, values)
    assert read.dtype == np.dtype(kind).newbyteorder("=") and arrays.dims("v") == ("x", "y", "z")
    assert arrays.texts("y") == tuple(codes) and arrays.shape("v") == values.shape
    about = arrays.attributes("v")
    assert about["units"] == "persons" and about["one"] == 3 and about["some"].tolist() == [0, 1, 2]
    assert arrays.attributes() == {"title": "Größe"} and {"v", "y"} <= arrays.names


def test_what_was_never_written_is_filled(tmp_path):
    def make(data):
        data.createDimension("x", 6)
        data.createVariable("v", "f4", ("x",), zlib=True, chunksizes=(2,), fill_value=np.float32(-5))[:2] = [1, 2]

    assert write(tmp_path / "a.nc", make).numbers("v").tolist() == [1, 2, -5, -5, -5, -5]


def test_an_array_that_would_fill_the_memory_is_refused(tmp_path):
    def make(data):
        data.createDimension("x", 2**40)
        data.createVariable("v", "f4", ("x",), zlib=True, chunksizes=(1000,))

    arrays = write(tmp_path / "a.nc", make)
    assert (tmp_path / "a.nc").stat().st_size < 10**5
    with pytest.raises(ArtifactError) as caught:
        arrays.numbers("v")
    assert caught.value.key == "v"


def test_a_chunk_is_not_inflated_beyond_what_it_claims(tmp_path, monkeypatch):
    import zlib

    def make(data):
        data.createDimension("x", 1000)
        data.createVariable("v", "i1", ("x",), zlib=True, shuffle=False, chunksizes=(1000,))[:] = np.arange(1000) % 100

    file = tmp_path / "a.nc"
    write(file, make)
    content, packed = file.read_bytes(), zlib.compress((np.arange(1000) % 100).astype(np.int8).tobytes(), 4)
    bomb = zlib.compress(bytes(20_000), 9)
    assert content.count(packed) == 1 and len(bomb) <= len(packed)
    arrays = Arrays(content.replace(packed, bomb + bytes(len(packed) - len(bomb))), file, "write it again")
    with pytest.raises(ArtifactError, match="1001 bytes"):
        arrays.numbers("v")


def test_texts_are_few_and_numbers_are_numbers(tmp_path):
    def make(data):
        data.createDimension("x", MOST_TEXTS + 1)
        data.createVariable("x", str, ("x",))[:] = np.array(["A"] * (MOST_TEXTS + 1), dtype=object)

    arrays = write(tmp_path / "a.nc", make)
    for read in (arrays.texts, arrays.numbers):
        with pytest.raises(ArtifactError):
            read("x")
    for ask in (arrays.dims, arrays.shape, arrays.attributes, arrays.texts, arrays.numbers):
        with pytest.raises(ArtifactError) as caught:
            ask("nothing")
        assert caught.value.key == "nothing"
