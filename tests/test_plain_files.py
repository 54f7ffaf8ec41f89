"""Files written by hand: whatever they hold, they are read as what they say or refused by name."""
import pytest

from humanflows import paths
from humanflows import territories as t
from humanflows.config import load_config
from humanflows.errors import ConfigError, InputError, SchemaError
from humanflows.plain_files import parse_yaml, read_table, read_yaml
from humanflows.results.scenario import read_scenario

COLUMNS, NUMBERS = ["name", "size", "share"], {"size": int, "share": float}
GOOD = "name,size,share\nNA,3,0.5\n\"a, b\",-1,1e-3\n"
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10)}]\n" for k in range(1, 8))     # a hundred million of them


@pytest.fixture
def file(tmp_path):
    def write(content):
        target = tmp_path / "given"
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
        return target
    return write


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte order mark"])
def test_a_table_is_what_it_says(file, mark):
    frame = read_table(file(mark + GOOD.encode()), COLUMNS, numbers=NUMBERS)
    assert frame["name"].tolist() == ["NA", "a, b"]
    assert frame["size"].tolist() == [3, -1] and frame["share"].tolist() == [0.5, 0.001]


@pytest.mark.parametrize(("content", "key"), [
    ("", None), ("name,size\nx,1\n", None), ("name,size,share,name\n", None), (b"name,size,share\n\xe9,1,1\n", None),
    ("name,size,share\nx,many,1\n", "row 0"), ("name,size,share\nx,1.5,1\n", "row 0"),
    ("name,size,share\nx,1,nan\n", "row 0"), ("name,size,share\nx,1,inf\n", "row 0"),
    ("name,size,share\nx,1,1e999\n", "row 0"), ("name,size,share\nx,\u00b2,1\n", "row 0"),
    (f"name,size,share\nx,{'9' * 30},1\n", "row 0"),
    ("name,size,share\nx,1,1\ny,2,2,3\n", "row 1"), ("name,size,share\nx,1\n", "row 0"),
    ('name,size,share\n"x,1,1\n', None), (f"name,size,share\n{'x' * 200_000},1,1\n", None),
])
def test_what_is_no_such_table_is_refused_by_name(file, content, key):
    given = file(content)
    with pytest.raises(SchemaError) as caught:
        read_table(given, COLUMNS, numbers=NUMBERS)
    assert caught.value.file == str(given) and caught.value.key == key


def test_a_missing_table_is_an_input_error(tmp_path):
    with pytest.raises(InputError):
        read_table(tmp_path / "none.csv", COLUMNS)


def test_territories_with_a_byte_order_mark_are_the_same(tmp_path, monkeypatch):
    plain = t.territories()
    (tmp_path / "territories.csv").write_bytes(b"\xef\xbb\xbf" + paths.TERRITORIES.read_bytes())
    monkeypatch.setattr(paths, "TERRITORIES", tmp_path / "territories.csv")
    t._table.cache_clear()
    try:
        assert t.territories().equals(plain)
    finally:
        monkeypatch.undo()
        t._table.cache_clear()


@pytest.mark.parametrize("text", [
    "a: [1", "*x", "a: &b 1\nc: *b\n", "a: 1\na: 2\n", "a: {b: 1, b: 2}", "[" * 5000, "a: 2001-13-45", "9" * 5000,
    "a: !!python/name:os.system", "\x00", "? [1]\n: 2\n", BOMB], ids=range(12))
def test_what_is_no_plain_yaml_is_one_short_error(text):
    with pytest.raises(ConfigError) as caught:
        parse_yaml(text, "given.yaml")
    assert caught.value.file == "given.yaml" and len(str(caught.value)) < 10_000


def test_yaml_with_a_byte_order_mark_is_read(file):
    assert read_yaml(file(b"\xef\xbb\xbfseed: 3\n")) == {"seed": 3}


@pytest.mark.parametrize("read", [
    lambda file: load_config("twin", file=file), lambda file: read_scenario(file, ["MEX", "USA"], [2000])])
@pytest.mark.parametrize("text", [BOMB + "title: *a7\nname: x\n", "title: [" + "word, " * 200_000 + "]\nname: x\n",
                                  "name: " + "x" * 10**6 + "\ntitle: y\n", "x" * 10**6 + ": 3\n"])
def test_what_is_quoted_is_cut(file, read, text):
    with pytest.raises(ConfigError) as caught:
        read(file(text))
    assert len(str(caught.value)) < 10_000


def test_a_message_cuts_each_part_and_keeps_short_ones_whole():
    error = InputError("f" * 10**6, "p" * 10**6, "r" * 10**6, key="k" * 10**6)
    assert len(str(error)) < 10_000
    assert str(InputError("file", "problem", "remedy", key=["a"])) == "file: problem [['a']]. Remedy: remedy"
