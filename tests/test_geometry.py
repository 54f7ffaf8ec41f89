"""The outlines: every territory once, valid, small, and the known places where they belong."""
import geopandas as gpd
import pytest
from shapely.geometry import Point

from humanflows import artifacts, geometry, paths, territories
from humanflows.errors import ArtifactError

PLACES = {  # longitude, latitude of a place well inside
    "Cayenne": ("GUF", -52.45, 4.75), "Fort-de-France": ("MTQ", -61.03, 14.65), "Saint-Denis": ("REU", 55.5, -21.1),
    "Mamoudzou": ("MYT", 45.15, -12.83), "Basse-Terre": ("GLP", -61.68, 16.1), "Paris": ("FRA", 2.35, 48.86),
    "Ajaccio": ("FRA", 9.1, 42.1), "Amsterdam": ("NLD", 5.2, 52.2), "Kralendijk": ("BES", -68.26, 12.19),
    "Pristina": ("SRB", 21.16, 42.66), "Belgrade": ("SRB", 20.5, 44.7), "Hargeisa": ("SOM", 44.06, 9.56),
    "Kyrenia": ("CYP", 33.3, 35.28), "Simferopol": ("UKR", 34.1, 44.95), "Laayoune": ("ESH", -12.9, 27.1),
    "Marrakesh": ("MAR", -8.0, 31.6), "Papeete": ("PYF", -149.4, -17.65), "Gibraltar": ("GIB", -5.348, 36.133),
    "Mariehamn": ("FIN", 19.9, 60.2), "Anadyr, beyond the antimeridian": ("RUS", -173.0, 66.5),
    "Suva": ("FJI", 178.2, -17.9), "Hong Kong": ("HKG", 114.1, 22.4), "Ramallah": ("PSE", 35.2, 31.95),
    "Taipei": ("TWN", 121.3, 24.9),
}


@pytest.fixture(scope="module")
def frame() -> gpd.GeoDataFrame:
    return geometry.read_geometry()


def test_each_territory_is_there_once_in_the_projects_order(frame):
    assert list(frame.index) == list(territories.codes())
    assert len(frame) == 231 and frame.crs.to_epsg() == 4326


def test_outlines_are_valid_and_have_an_area(frame):
    assert frame.is_valid.all()
    assert set(frame.geom_type) <= {"Polygon", "MultiPolygon"}
    km2 = frame.to_crs(8857).area / 1e6
    # Monaco has 2 km², Natural Earth draws it as 7; nothing may have been simplified away.
    assert km2.min() > 1
    # Known areas, of large and of small ones (km²): simplification and splitting keep them within a tenth.
    known = {"FRA": 543_940, "RUS": 17_098_246, "GUF": 83_534, "REU": 2_511, "ESH": 266_000, "MLT": 316, "NRU": 21,
             "UKR": 603_500, "SRB": 88_400, "FJI": 18_274}
    for code, area in known.items():
        assert km2[code] == pytest.approx(area, rel=0.1 if area > 100 else 0.5), code


def test_outlines_do_not_overlap(frame):
    shapes = frame.geometry.to_crs(8857)
    pairs = gpd.GeoDataFrame(geometry=shapes).sjoin(gpd.GeoDataFrame(geometry=shapes), predicate="overlaps")
    shared = [(a, b) for a, b in zip(pairs.index, pairs["iso3_right"]) if a < b]
    assert max((shapes[a].intersection(shapes[b]).area for a, b in shared), default=0) < 1e6  # 1 km²


def test_the_file_stays_small_enough_for_a_repository_and_a_page():
    assert paths.GEOMETRY.stat().st_size < 1_000_000


def test_each_point_lies_in_its_territory(frame):
    points = gpd.GeoSeries.from_xy(frame.longitude, frame.latitude, index=frame.index, crs=4326)
    outside = frame.index[~frame.contains(points)]
    assert list(outside) == []


@pytest.mark.parametrize("place", PLACES)
def test_known_places_lie_in_their_territory_alone(frame, place):
    code, longitude, latitude = PLACES[place]
    assert list(frame.index[frame.contains(Point(longitude, latitude))]) == [code]


@pytest.mark.parametrize(("code", "longitude", "latitude"), [("TUV", 179.2, -8.52), ("TKL", -172.5, -8.56),
                                                            ("MDV", 73.5, 4.18), ("MCO", 7.42, 43.74)])
def test_islets_and_city_states_lie_where_they_are(frame, code, longitude, latitude):
    # Narrower than a degree's hundredth: nearness is all that can be asked for.
    assert frame.geometry[code].distance(Point(longitude, latitude)) < 0.1


def test_overseas_parts_were_cut_out_of_the_state_they_belong_to(frame):
    assert frame.geometry["FRA"].bounds[0] > -6 and frame.geometry["FRA"].bounds[2] < 10
    assert frame.geometry["NLD"].bounds[0] > 3
    assert frame.geometry["NZL"].bounds[3] < -28


def test_nothing_spans_the_globe(frame):
    # A ring drawn across the antimeridian would paint a band around the world.
    widest = frame.explode().bounds
    assert (widest.maxx - widest.minx).max() < 170


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    file = tmp_path / "territories.geojson"
    file.write_bytes(paths.GEOMETRY.read_bytes())
    file.with_suffix(".sha256").write_text(artifacts.sha256(file) + "\n")
    monkeypatch.setattr(paths, "GEOMETRY", file)
    return file


def _pin(file):
    file.with_suffix(".sha256").write_text(artifacts.sha256(file) + "\n")


def test_a_missing_file_is_named(elsewhere):
    elsewhere.unlink()
    with pytest.raises(ArtifactError, match=r"territories\.geojson.*missing.*build_geometry"):
        geometry.read_geometry()


def test_one_altered_digit_is_noticed(elsewhere):
    text = elsewhere.read_text()
    at = text.index("179.") + 4
    elsewhere.write_text(text[:at] + str((int(text[at]) + 1) % 10) + text[at + 1:])
    with pytest.raises(ArtifactError, match="not the ones that were built"):
        geometry.read_geometry()


def test_a_territory_that_is_lacking_is_named(elsewhere):
    lines = [line for line in elsewhere.read_text().splitlines() if '"iso3":"TUV"' not in line]
    elsewhere.write_text("\n".join(lines))
    _pin(elsewhere)
    with pytest.raises(ArtifactError, match=r"\[TUV\]"):
        geometry.read_geometry()


def test_a_territory_given_twice_is_refused(elsewhere):
    lines = elsewhere.read_text().splitlines()
    elsewhere.write_text("\n".join([lines[0], lines[1], *lines[1:]]))
    _pin(elsewhere)
    with pytest.raises(ArtifactError, match="231"):
        geometry.read_geometry()


def test_the_committed_checksum_is_that_of_the_committed_file():
    assert paths.GEOMETRY.with_suffix(".sha256").read_text().split() == [artifacts.sha256(paths.GEOMETRY)]
