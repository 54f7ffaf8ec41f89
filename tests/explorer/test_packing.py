"""Packed numbers come back, to the digits that are kept."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from humanflows.errors import SchemaError
from humanflows.explorer.packing import NO_NUMBER, Part, decode, decode_share, encode, encode_share, unpack

PERSONS = hnp.arrays(np.float64, st.integers(1, 30), elements=st.floats(0, 1e9, allow_nan=False))


@given(PERSONS, st.sampled_from([2, 3]))
def test_codes_keep_their_digits(persons, digits):
    back = decode(encode(persons, digits), digits)
    assert (np.abs(back - persons) <= np.maximum(0.5, persons * 0.5 * 10.0 ** (1 - digits)) + 1e-3).all()
    assert (encode(back, digits) == encode(persons, digits)).all()


@given(PERSONS, st.sampled_from([2, 3]))
def test_ends_are_rounded_outwards_and_order_is_kept(persons, digits):
    down, middle, up = (encode(persons, digits, how) for how in ("down", "nearest", "up"))
    assert (down <= middle).all() and (middle <= up).all()
    slack = 1e-4 * np.maximum(persons, 1)       # a number that is a step already stays one
    assert (decode(down, digits) <= persons + slack).all() and (decode(up, digits) >= persons - slack).all()
    order = np.argsort(persons)
    assert (np.diff(middle[order]) >= 0).all()


def test_known_codes():
    assert encode([0, 7.4, 999.4, 999.6, 1234, 9_996, 456_700, np.nan], 3).tolist() == [0, 7, 999, 1000, 1023, 1900,
                                                                                        1000 + 900 * 2 + 357, 0]
    assert encode([0.5, 0.99, 1.5], 3).tolist() == [1, 1, 2]        # half a person and more is somebody
    assert decode([0, 999, 1000, 1023, 1900], 3).tolist() == [0, 999, 1000, 1230, 10_000]


@given(hnp.arrays(np.float64, 30, elements=st.floats(0, 1)))
def test_shares_are_finest_where_nearly_nobody_or_everybody_is(shares):
    codes = encode_share(shares)
    back = decode_share(codes)
    close = (shares <= 0.02) | (shares >= 0.98)
    assert (np.abs(back - shares) <= np.where(close, 0.0005, 0.0105) + 1e-9).all()
    assert (encode_share(back) == codes).all() and codes.max() < 256
    assert (np.diff(codes[np.argsort(shares)]) >= 0).all()


@pytest.mark.parametrize("width", [1, 2, 4])
@given(data=st.data())
def test_arrays_come_back(width, data):
    low, high = (NO_NUMBER, 2**31 - 1) if width == 4 else (0, 2 ** (8 * width) - 1)
    values = data.draw(hnp.arrays(np.int64, st.tuples(st.integers(1, 5), st.integers(1, 9)),
                                  elements=st.integers(low, high)))
    name, about, arrays = unpack(Part("x", {"a": "</script>", "b": [1]}, {"v": (values, width)}).script())
    assert (name, about) == ("x", {"a": "</script>", "b": [1]}) and (arrays["v"] == values).all()


def test_a_script_never_ends_a_script_element():
    assert b"</script>" not in Part("x", {"a": "</script>"}).script()


@pytest.mark.parametrize(("values", "width"), [([256], 1), ([-1], 2), ([70_000], 2), ([2**31], 4)])
def test_what_does_not_fit_is_refused(values, width):
    with pytest.raises(SchemaError, match="do not fit"):
        Part("x", {}, {"v": (np.array(values), width)}).script()


def test_other_things_are_no_parts_and_fractions_no_integers():
    with pytest.raises(SchemaError, match="no script"):
        unpack(b"alert(1)")
    with pytest.raises(SchemaError, match="integers"):
        Part("x", {}, {"v": (np.array([0.5]), 1)}).script()


def test_the_same_part_is_the_same_bytes():
    part = Part("x", {"a": 1}, {"v": (np.arange(50)[None], 2)})
    assert part.script() == part.script()
