"""Draws in a file and the questions that they answer: against the draws themselves, and with hostile files."""
import json
import shutil

import netCDF4
import numpy as np
import pytest
from drawn_release import CODES, NUMBER, TINY, YEARS, make_draws, write_drawn_release
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from humanflows import artifacts
from humanflows.cli_dataset import app
from humanflows.dataset import draw_file, open_estimates
from humanflows.dataset.answers import Answers
from humanflows.dataset.draw_file import DrawFile, write_draws
from humanflows.dataset.drawn import quantiles
from humanflows.errors import ArtifactError, InputError, SchemaError, UnknownTerritoryError
from whole_release import list_files

LARGE = 100.0


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return write_drawn_release(tmp_path_factory.mktemp("drawn"))


@pytest.fixture(scope="session")
def truth():
    return make_draws()


@pytest.fixture(scope="session")
def estimates(folder):
    return open_estimates(folder)


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


def at(*codes):
    return [CODES.index(c) for c in codes]


def test_a_corridors_draws_come_back_within_a_fraction_of_their_spread(estimates, truth):
    for o in CODES:
        for d in CODES:
            if o == d or (o, d) == TINY:
                continue
            found = estimates.draws(o, d)
            assert found.shape == (NUMBER, len(YEARS)) and list(found.columns) == YEARS and found.index[0] == 1
            log = np.log(truth[:, :, CODES.index(o), CODES.index(d)])
            error = np.log(np.maximum(found.to_numpy(), 0.25)) - np.maximum(log, np.log(0.25))
            large = log > np.log(LARGE)
            allowed = max(0.25 * log.std(0).max(), draw_file.FINEST)
            assert np.abs(error[large]).max(initial=0) <= min(allowed, draw_file.COARSEST / 2 + draw_file.FINEST)
    assert estimates.draws("COL", "DEU", 2012).columns.tolist() == [2012]


def test_whole_sums_are_those_of_the_draws(estimates, truth):
    file = estimates._drawn.file
    every, years = np.arange(len(CODES)), np.arange(len(YEARS))
    arrivals = file.total(every, np.array([1]), years)
    departures = file.total(np.array([1]), every, years)
    assert np.abs(arrivals / truth[:, :, :, 1].sum(2) - 1).max() < 2 * draw_file.TOTAL_STEP
    assert np.abs(departures / truth[:, :, 1].sum(2) - 1).max() < 2 * draw_file.TOTAL_STEP
    np.testing.assert_allclose(file.total(every, every, years), truth.sum((2, 3)), rtol=2 * draw_file.TOTAL_STEP)


def test_sums_of_regions_are_of_their_parts(estimates, truth):
    europe, latin = at("DEU", "FRA", "POL"), at("COL", "VEN")
    table = estimates.sum("Latin America and the Caribbean", "europe", "2011-2013")
    assert table.year.tolist() == [2011, 2012, 2013]
    draws = truth[:, 1:4][:, :, latin][..., europe].sum((2, 3))
    np.testing.assert_allclose(table["median"], np.quantile(draws, 0.5, axis=0, method="weibull"), rtol=0.1)
    np.testing.assert_allclose(table["lower80"], np.quantile(draws, 0.1, axis=0, method="weibull"), rtol=0.1)
    for low, high in (("lower95", "lower80"), ("lower80", "lower50"), ("lower50", "median"), ("median", "upper50"),
                      ("upper50", "upper80"), ("upper80", "upper95")):
        assert (table[low] <= table[high]).all()
    same = estimates.sum(["Colombia", "VEN"], "Germany; FRA; Poland", "2011-2013")
    np.testing.assert_array_equal(same["median"], table["median"])
    parts = estimates.draws("COL", "DEU") + estimates.draws("VEN", "DEU")
    two = estimates._drawn.file.total(np.array(at("COL", "VEN")), np.array(at("DEU")), np.arange(len(YEARS)))
    np.testing.assert_allclose(parts, two)


def test_a_corridor_without_draws_counts_as_released_in_a_sum_and_says_so(estimates, folder):
    table = estimates.sum(TINY[0], ["POL", "FRA"])
    assert np.allclose(table["without_draws"], 3)
    alone = estimates.draws(TINY[0], "FRA")
    both = estimates._drawn.file.total(np.array(at(TINY[0])), np.array(at("FRA", "POL")), np.arange(len(YEARS)))
    np.testing.assert_allclose(both, alone + 3)
    assert (estimates.sum(TINY[0])["without_draws"] == 0).all()
    number, share = DrawFile(Answers(folder).store).left_out
    assert number == 1 and 0 < share < 0.01
    for ask in (lambda: estimates.draws(*TINY), lambda: estimates.sum(*TINY)):
        with pytest.raises(InputError, match="below 10 persons") as caught:
            ask()
        assert "TUV-POL" in str(caught.value) and "\n" not in str(caught.value)


def test_change_is_of_the_same_draw(estimates, truth):
    row = estimates.change("2010-2011", 2014, "COL", "world").iloc[0]
    total = truth[:, :, CODES.index("COL")].sum(2)
    difference = total[:, 4] - total[:, :2].mean(1)
    assert row["before"] == "2010-2011" and row["after"] == "2014"
    assert row["median"] == pytest.approx(np.quantile(difference, 0.5, method="weibull"), rel=1e-2)
    assert row["probability_of_increase"] == pytest.approx((difference > 0).mean(), abs=0.04)
    assert row["change"] == pytest.approx(row["flow_after"] - row["flow_before"])
    ratio = total[:, 4] / total[:, :2].mean(1)
    assert row["ratio_upper95"] == pytest.approx(np.quantile(ratio, 0.975, method="weibull"), rel=1e-2)


def test_ranks_are_counted(estimates, truth):
    table = estimates.rank("outflow", "COL", 2012, number=3)
    order = np.argsort(-truth[:, 2, 0, 1:], axis=1)
    first = np.bincount(1 + order[:, 0], minlength=len(CODES)) / NUMBER
    assert table["rank"].tolist() == [1, 2, 3] and (table.flow.diff().dropna() <= 0).all()
    for row in table.itertuples():
        assert row.probability_first == pytest.approx(first[CODES.index(row.destination)], abs=0.1)
        assert 1 <= row.rank_lower95 <= row.rank_lower80 <= row.rank_median <= row.rank_upper80 <= row.rank_upper95 <= 5
    assert set(estimates.rank("inflow", "DEU", 2012).destination) == {"DEU"}
    assert TINY[0] not in estimates.rank("inflow", "POL", 2012).origin.tolist()


def test_a_corridor_is_read_from_the_chunks_that_hold_it(tmp_path, folder, truth, estimates, monkeypatch):
    copy = shutil.copytree(folder, tmp_path / "copy")
    monkeypatch.setattr(draw_file, "ROWS", 4)
    write_draws(truth, Answers(copy).store.array("flow"), YEARS, CODES, copy / "draws.nc",
                release=artifacts.sha256(copy / "flows.nc"))
    list_files(copy, format=2)
    for o, d in (("COL", "DEU"), ("VEN", "TUV"), ("FRA", "POL")):
        assert open_estimates(copy).draws(o, d).equals(estimates.draws(o, d))
    assert open_estimates(copy).sum("Europe", "COL; VEN").equals(estimates.sum("Europe", "COL; VEN"))


@given(st.integers(20, 200), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_one_more_draw_lies_below_a_quantile_as_often_as_promised(number, seed):
    """Weibull's position: the quantile p of the numbers 1 to D, evenly spread, is p (D + 1)."""
    draws = np.random.default_rng(seed).permutation(np.arange(1.0, number + 1))
    found = quantiles(draws)
    assert found["lower80"] == pytest.approx(max(0.1 * (number + 1), 1))
    assert found["median"] == pytest.approx((number + 1) / 2)
    assert found["lower95"] == pytest.approx(max(0.025 * (number + 1), 1))


@given(st.integers(0, 2**32 - 1), st.floats(0, 6))
@settings(max_examples=25, deadline=None)
def test_levels_come_back_whatever_the_spread(seed, spread):
    rng = np.random.default_rng(seed)
    fine = np.rint(spread * rng.standard_normal((5, 40, 7)) / draw_file.FINEST).astype(np.int16)
    cut = draw_file._steps(fine)
    level = np.cumsum(draw_file._coded(fine, cut, "file"), axis=2, dtype=np.int8)
    error = np.abs(level * cut[:, None].astype(int) - fine)
    assert (error <= cut[:, None] / 2).all()
    deviation = fine.std(1)
    assert (cut <= np.maximum(deviation / draw_file.STEPS_PER_DEVIATION, 1) + 1e-3).all() or spread > 3


def test_format_2_shows_80_percent_first_and_what_is_not_known(estimates):
    table = estimates.flow("COL", "DEU")
    columns = list(table)
    assert columns.index("flow_lower80") < columns.index("flow_lower") and "known" in columns
    assert table.evidence.tolist() == ["nothing", "displaced", "other_years", "proxy", "residence"]
    assert table.basis.iloc[3] == "proxy" and table.basis.iloc[4] == "observed"
    assert "A" not in table.grade.iloc[:4].tolist()
    known = [estimates.flow(o, d) for o in CODES for d in CODES if o != d]
    ratio = np.concatenate([(t.flow_upper + 1) / (t.flow_lower + 1) for t in known])
    told = np.concatenate([t.known for t in known])
    assert told.any() and not told.all()
    assert (told == (ratio <= 900)).all()
    assert list(estimates.net("DEU"))[-4:] == [f"net_migration_{k}" for k in ("lower80", "upper80", "lower", "upper")]
    assert "stock_lower80" in estimates.stock("COL", "DEU")
    assert "citizenship or birthplace alone" in estimates.grade_rule


def test_a_package_of_format_2_says_the_same(folder, estimates, tmp_path):
    from humanflows.dataset.package import write_package

    made = open_estimates(write_package(tmp_path / "package", folder).parent)
    for o, d in (("COL", "DEU"), ("VEN", "FRA")):
        assert made.flow(o, d).equals(estimates.flow(o, d))
    with pytest.raises(ArtifactError, match=r"draws\.nc.*no draws"):
        made.draws("COL", "DEU")


def test_intervals_that_are_not_nested_are_refused(copy):
    from humanflows.dataset.whole import check_release

    check_release(copy)
    with netCDF4.Dataset(copy / "flows.nc", "a") as data:
        data["flow_lower80"][2, 0, 1] = data["flow_upper"][2, 0, 1] * 2
    list_files(copy, format=2)
    with pytest.raises(ArtifactError, match="flow_lower80"):
        check_release(copy)


def test_a_release_without_draws_answers_all_else(bare_folder):
    estimates = open_estimates(bare_folder)
    a, b = estimates.codes[:2]
    assert "known" not in estimates.flow(a, b)
    for ask in (lambda: estimates.draws(a, b), lambda: estimates.sum(a), lambda: estimates.rank("inflow", a, 1995),
                lambda: estimates.change(1995, 1996)):
        with pytest.raises(ArtifactError, match=r"draws\.nc.*no draws.*Remedy"):
            ask()


def attribute(key, value):
    def change(file):
        with netCDF4.Dataset(file, "a") as data:
            data.setncattr(key, value)
    return change


def put(key, index, value):
    def change(file):
        with netCDF4.Dataset(file, "a") as data:
            data[key][index] = value
    return change


def drop(file):
    with netCDF4.Dataset(file, "a") as data:
        data.renameVariable("level", "levels")


def truncate(file):
    file.write_bytes(file.read_bytes()[:-len(file.read_bytes()) // 3])


@pytest.mark.parametrize(("change", "says"), [
    (truncate, "NetCDF"), (lambda f: f.write_bytes(b"nonsense"), "NetCDF"), (lambda f: f.write_bytes(b""), "NetCDF"),
    (attribute("format", np.int32(7)), "format"), (attribute("format", "one"), "format"),
    (attribute("release", "0" * 64), "another release"), (put("territory", 1, "XXX"), "XXX"),
    (put("territory", 1, "COL"), "territories"), (put("year", 0, 1900), "years"), (put("origin", 0, 77), "corridors"),
    (put("origin", 0, -1), "corridors"), (put("destination", 1, 1), "twice"), (drop, "missing"),
    (attribute("finest_step", np.nan), "steps"), (attribute("finest_step", "wide"), "steps")])
def test_a_hostile_file_is_one_clear_line(copy, change, says):
    change(copy / "draws.nc")
    list_files(copy, format=2)          # somebody covers his tracks
    with pytest.raises(ArtifactError, match=says) as caught:
        open_estimates(copy).draws("COL", "DEU")
    assert "draws.nc" in str(caught.value) and "Remedy" in str(caught.value) and "\n" not in str(caught.value)
    open_estimates(copy).flow("COL", "DEU")


def test_a_file_that_the_manifest_does_not_list_is_refused(copy):
    truncate(copy / "draws.nc")
    with pytest.raises(ArtifactError, match=r"draws\.nc.*not the version"):
        open_estimates(copy).draws("COL", "DEU")
    (copy / "draws.nc").unlink()
    with pytest.raises(ArtifactError, match=r"draws\.nc.*missing"):
        open_estimates(copy).draws("COL", "DEU")


def test_flags_of_evidence_without_a_meaning_are_refused(copy):
    with netCDF4.Dataset(copy / "flows.nc", "a") as data:
        data["flow_evidence"].flag_meanings = "a b c d e"
    list_files(copy, format=2)
    with pytest.raises(ArtifactError, match="flow_evidence"):
        open_estimates(copy).flow("COL", "DEU")


@pytest.mark.parametrize("spoil", [np.nan, -1.0, np.inf])
def test_draws_that_cannot_be_are_not_written(tmp_path, truth, spoil):
    bad, centre = truth.copy(), truth.mean(0)
    bad[3, 1, 0, 1] = spoil
    with pytest.raises(SchemaError, match="draw 4"):
        write_draws(bad, centre, YEARS, CODES, tmp_path / "draws.nc", release="")
    with pytest.raises(SchemaError, match="no draw"):
        write_draws([], centre, YEARS, CODES, tmp_path / "draws.nc", release="")
    with pytest.raises(SchemaError, match="centre"):
        write_draws(truth, centre[:2], YEARS, CODES, tmp_path / "draws.nc", release="")
    assert not artifacts.visible_files(tmp_path)


def test_questions_that_have_no_answer(estimates):
    for ask, error in ((lambda: estimates.sum("Atlantis"), UnknownTerritoryError),
                       (lambda: estimates.sum([]), InputError), (lambda: estimates.sum(7), InputError),
                       (lambda: estimates.sum("COL", "COL"), InputError),
                       (lambda: estimates.change(None, 2010), InputError),
                       (lambda: estimates.rank("inflow", "COL", "2010-2011"), InputError),
                       (lambda: estimates.rank("inflow", "COL", 2010, 0), InputError),
                       (lambda: estimates.rank("upflow", "COL", 2010), InputError)):
        with pytest.raises(error):
            ask()


@pytest.mark.parametrize(("words", "rows"), [
    (("draws", "COL", "Germany", "-y", "2012"), NUMBER), (("sum", "world", "Europe"), len(YEARS)),
    (("sum",), len(YEARS)), (("change", "2010", "2012-2014", "COL"), 1),
    (("rank", "inflow", "DEU", "-y", "2012", "-n", "2"), 2)])
def test_commands(folder, words, rows):
    result = CliRunner().invoke(app, [*words, "--data", str(folder), "-f", "json"])
    assert result.exit_code == 0 and len(json.loads(result.stdout)) == rows, result.output
    assert CliRunner().invoke(app, [*words, "--data", str(folder)]).exit_code == 0


def test_commands_say_one_line_of_bad_input(folder, bare_folder):
    for words, says in ((("draws", *TINY, "--data", str(folder)), "below 10"),
                        (("sum", "--data", str(bare_folder)), "no draws"),
                        (("rank", "up", "DEU", "-y", "2012", "--data", str(folder)), "side")):
        result = CliRunner().invoke(app, list(words))
        assert result.exit_code == 2 and len(result.stderr.splitlines()) == 1 and says in result.stderr


def test_a_simulated_release_says_so(tmp_path):
    estimates = open_estimates(write_drawn_release(tmp_path / "twin", profile="twin"))
    for table in (estimates.sum(), estimates.change(2010, 2011), estimates.rank("inflow", "DEU", 2010)):
        assert (table["data_kind"] == "simulated").all()
    assert estimates.draws("COL", "DEU").attrs["data_kind"] == "simulated"
