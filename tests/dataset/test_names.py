"""What people write becomes a code, or a plain error that names the nearest."""
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from humanflows import paths
from humanflows.dataset.names import KINDS, aliases, listed, name, nearest, other_names, plain, region, resolve
from humanflows.errors import ArtifactError, UnknownTerritoryError
from humanflows.territories import territories


def test_the_table_is_the_one_of_the_project():
    table = territories()
    assert sorted(listed()) == list(table.index)
    assert all(name(c) == table.at[c, "name"] and region(c) == table.at[c, "region"] for c in table.index)


@pytest.fixture
def table(tmp_path, monkeypatch):
    """Put a table of other bytes in the place of the territories'."""
    def put(content):
        (tmp_path / "territories.csv").write_bytes(content)
        monkeypatch.setattr(paths, "TERRITORIES", tmp_path / "territories.csv")
        listed.cache_clear()
        return listed()

    yield put
    monkeypatch.undo()
    listed.cache_clear()


def test_a_spreadsheets_byte_order_mark_does_no_harm(table):
    before = listed()
    assert table(b"\xef\xbb\xbf" + paths.TERRITORIES.read_bytes()) == before


@pytest.mark.parametrize("content", [b"iso3,name\nDEU,Germany\n", b"\xff\xfe", b"iso3,iso2,m49,name,region\nDEU,de\n"])
def test_a_damaged_table_is_one_plain_error(table, content):
    with pytest.raises(ArtifactError, match="territories"):
        table(content)


@given(st.sampled_from(sorted(listed())), st.sampled_from(["iso3", "iso2", "m49", "name"]),
       st.sampled_from([str.upper, str.lower, str.title, str]))
def test_every_code_and_name_is_its_territory_in_any_case(code, kind, written):
    # "ÎLE".lower() and "ß".upper() are other words; no name here has such a letter
    assert resolve(f" {written(getattr(listed()[code], kind))} ") == code


@pytest.mark.parametrize(("text", "code"), [
    ("Cote d’Ivoire", "CIV"), ("ivory coast", "CIV"), ("REUNION", "REU"), ("Turkey", "TUR"), ("the Gambia", "GMB"),
    ("Türkiye", "TUR"), ("U.K.", "GBR"), ("UK", "GBR"), ("UAE", "ARE"), ("Viet Nam", "VNM"), ("Saint Lucia", "LCA"),
    ("St Lucia", "LCA"), ("NA", "NAM"), ("Bosnia & Herzegovina", "BIH"), ("004", "AFG"), ("4", "AFG"),
    ("Guinea", "GIN"), ("Niger", "NER"), ("DRC", "COD"), ("Burma", "MMR"), ("Swaziland", "SWZ"), ("ST", "STP"),
    ("Cape Verde", "CPV"), ("Macedonia", "MKD"), ("Czech Republic", "CZE"), ("South Korea", "KOR"),
    ("DPRK", "PRK"), ("Russian Federation", "RUS"), ("U.S.A.", "USA"), ("State of Palestine", "PSE"),
    ("Chinese Taipei", "TWN"), ("Hong Kong", "HKG"), ("Macao", "MAC"), ("Republic of Korea", "KOR")])
def test_other_spellings(text, code):
    assert resolve(text) == code


def test_the_table_of_other_names_is_sound():
    codes, spelled = set(listed()), {}
    every_code = {c.casefold() for row in listed().values() for c in (row.iso3, row.iso2, row.m49)}
    for alias in aliases():
        assert alias.kind in KINDS and set(alias.territories) <= codes
        assert plain(alias.name) and spelled.setdefault(plain(alias.name), alias) == alias, alias.name
        assert alias.name.casefold() not in every_code, "a code of a territory would win"
        assert plain(alias.name) not in {plain(row.name) for row in listed().values()}
        number = len(alias.territories)
        assert {"alias": number == 1, "several": number > 1, "part": number == 1, "former": number > 0,
                "region": number == 0, "outside": bool(alias.note)}[alias.kind], alias.name
        if alias.kind == "alias":
            assert resolve(alias.name) == alias.territories[0]
        else:
            with pytest.raises(UnknownTerritoryError):
                resolve(alias.name)


def test_other_names_by_territory():
    assert "Burma" in other_names()["MMR"]
    assert "Congo" in other_names()["COD"] and "Congo" in other_names()["COG"]
    assert "Scotland" not in other_names()["GBR"]


@pytest.mark.parametrize(("text", "says"), [
    ("Congo", {"COD", "COG"}), ("Korea", {"KOR", "PRK"}), ("Virgin Islands", {"VGB", "VIR"}),
    ("Saint", {"KNA", "LCA", "VCT", "SHN", "SPM"}), ("United", {"ARE", "GBR", "USA"}),
    ("Scotland", {"GBR"}), ("England", {"GBR"}), ("Wales", {"GBR"}), ("Northern Ireland", {"GBR"}),
    ("Yugoslavia", {"BIH", "HRV", "MKD", "MNE", "SRB", "SVN"}), ("Czechoslovakia", {"CZE", "SVK"}), ("GDR", {"DEU"}),
    ("Kosovo", {"SRB"}), ("XKX", {"SRB"}), ("Jersey", {"GBR"}), ("Saint Martin", {"SXM", "GLP"}),
    ("Holy See", set()), ("Vatican City", set()), ("World", set()), ("Africa", set()), ("the European Union", set()),
    ("Atlantis", set())])
def test_what_is_no_single_territory_is_explained_and_never_guessed(text, says):
    """The codes that the answer names are those that have to do with it; "Saint" is not São Tomé's code ST."""
    with pytest.raises(UnknownTerritoryError) as error:
        resolve(text)
    named = set(re.findall(r"\(([A-Z]{3})\)", str(error.value)))
    assert named >= says and "\n" not in str(error.value)
    if not says or aliased(text):
        assert named == says


def aliased(text):
    return plain(text) in {plain(a.name) for a in aliases()}


@pytest.mark.parametrize("text", ["Kosova", "Scottland", "Yugoslawia", "Vatican Cty"])
def test_a_mistyped_name_of_no_territory_leads_to_its_explanation(text):
    assert any(resolve_kind(shown) not in (None, "alias") for shown in nearest(text))


def resolve_kind(shown):
    return next((a.kind for a in aliases() if a.name == shown), None)


@pytest.mark.parametrize("region_name", sorted({row.region for row in listed().values()}))
def test_every_region_is_known_for_one(region_name):
    assert next(a.kind for a in aliases() if plain(a.name) == plain(region_name)) == "region"


@pytest.mark.parametrize("text", ["St. Vincent and", "St. Vincent and t", "St. Vincent and th", "St. Vincent and the"])
def test_a_name_that_ends_in_a_begun_article_leads_to_the_whole(text):
    assert nearest(text) == ["St. Vincent and the Grenadines (VCT)"]


def test_a_begun_word_is_not_taken_for_saint():
    assert {"United States (USA)", "United States Virgin Islands (VIR)"} <= set(nearest("United St"))


@given(st.sampled_from(sorted(listed())), st.data())
def test_the_beginning_of_a_name_is_no_answer_but_leads_to_it(code, data):
    whole = listed()[code].name
    text = whole[:data.draw(st.integers(4, max(4, len(whole) - 1)))]
    try:
        found = resolve(text)
    except UnknownTerritoryError as error:
        if plain(text) not in {plain(a.name) for a in aliases()}:
            assert f"({code})" in str(error) or "more" in str(error)
    else:
        assert plain(name(found)) == plain(text) or plain(text) in map(plain, other_names()[found])


@pytest.mark.parametrize(("text", "near"), [("Syira", "Syria (SYR)"), ("Columbia", "Colombia (COL)"),
                                            ("Germny", "Germany (DEU)"), ("Costa Rico", "Costa Rica (CRI)"),
                                            ("Nigera", "Nigeria (NGA)"), ("Venzuela", "Venezuela (VEN)"),
                                            ("Guinea Equatorial", "Equatorial Guinea (GNQ)"),
                                            ("Kingdom of Spain", "Spain (ESP)"), ("GER", "Germany (DEU)")])
def test_a_mistyped_name_is_answered_with_the_nearest(text, near):
    with pytest.raises(UnknownTerritoryError, match="did you mean") as error:
        resolve(text)
    assert near in str(error.value) and text in str(error.value) and "\n" not in str(error.value)


@given(st.text(max_size=30))
def test_any_text_is_a_territory_or_a_plain_error(text):
    try:
        assert resolve(text) in listed()
    except UnknownTerritoryError as error:
        assert error.remedy


def test_only_the_territories_that_there_are():
    assert resolve("AAA", ("AAA", "DEU")) == "AAA"
    for text in ("France", "Holland", "Congo"):
        with pytest.raises(UnknownTerritoryError, match=text.replace("Holland", "NLD")):
            resolve(text, ("AAA", "DEU"))
    assert nearest("Frankreich", ("AAA", "DEU")) == [] and nearest("Germani", ("AAA", "DEU")) == ["Germany (DEU)"]


@pytest.mark.parametrize("text", ["x" * 1_000_000, "Franc" * 200_000, "\x00\n" * 100_000])
def test_what_is_quoted_is_cut(text):
    with pytest.raises(UnknownTerritoryError) as error:
        resolve(text)
    assert len(str(error.value)) < 500 and "\n" not in str(error.value)
