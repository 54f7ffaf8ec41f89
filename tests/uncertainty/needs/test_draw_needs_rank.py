"""Who is asked first: where draws differ, where nobody reports yet, and nobody for what has nothing to do with it."""
import numpy as np
import pytest
from needs_draws import CODES, REGIONS, make_draws

from humanflows.errors import SchemaError
from humanflows.results.needs_terms import CORRIDOR_COLUMNS, COUNTRY_COLUMNS
from humanflows.uncertainty.needs import rank, reports, sequence
from humanflows.uncertainty.needs.candidates import SEEN, bias_variance, report_variance
from humanflows.uncertainty.needs.gather import gather

SYR, TUR = 7, 8


@pytest.fixture(scope="module")
def needy(nothing_told):
    """Arrivals in Turkey are known least, then departures from Syria; Germany's arrivals are reported."""
    rng, n = np.random.default_rng(3), len(CODES)
    corridor = np.full((n, n), 0.05)
    corridor[:, TUR], corridor[SYR] = 1.0, 0.5
    told = nothing_told.copy()
    told[0, :, :, 2] = True
    return gather(make_draws(rng, corridor=corridor, into=np.where(np.arange(n) == TUR, 0.4, 0.02)), told, [4, 5, 6],
                  [1, 2, 3])


@pytest.fixture(scope="module")
def what(needy):
    return rank.Quantities(needy, REGIONS)


def test_errors_of_statistics_are_what_is_drawn(needy, registers, rng):
    report = reports.report_of(needy, registers, TUR, 0)
    drawn = [report.draw_errors(rng) for _ in range(400)]
    parts, total = np.concatenate([p for p, _ in drawn]), np.concatenate([t for _, t in drawn])
    noise = report.noise(np.arange(len(CODES)))
    for k in (0, 3, SYR):
        np.testing.assert_allclose(np.cov(parts[:, k], total), noise[k], rtol=0.05)
    both = reports.reports_of(needy, registers, SYR, reports.BOTH)
    _, noise = reports.statistics(both, np.array([0, SYR, 3]), np.array([SYR, TUR, 4]))
    assert (np.linalg.eigvalsh(noise) > 0).all() and noise.shape == (3, 4, 4)
    with pytest.raises(SchemaError):
        reports.reports_of(needy, registers, SYR, "gossip")


@pytest.mark.parametrize("side, flow, other", [(0, (1, TUR), 1), (0, (TUR, 3), 3), (0, (1, 3), 1),
                                               (1, (TUR, 3), 3), (1, (1, TUR), 1), (1, (1, 3), 3)])
def test_a_flow_is_told_by_the_report_that_has_most_to_do_with_it(needy, registers, side, flow, other):
    report = reports.report_of(needy, registers, TUR, side)
    assert report.nearest(np.array([flow[0]]), np.array([flow[1]])).tolist() == [other]


def test_the_least_known_office_is_asked_first(needy, what, registers):
    table = rank.rank_offices(needy, what, registers)
    assert list(table.columns) == list(rank.OFFICE_COLUMNS) and len(table) == 3 * len(CODES)
    assert table["territory"].iloc[0] == "TUR" and table["side"].iloc[0] in ("both", "arrivals")
    by = table.set_index(["territory", "side"])
    assert by.loc[("TUR", "arrivals"), "own_told"] > 0.9 > by.loc[("TUR", "departures"), "flows_told"] + 0.8
    assert by.loc[("TUR", "arrivals"), "narrower"] > 0.7
    assert by.loc[("TUR", "arrivals"), "arrivals_told"] > 0.8 > by.loc[("AUT", "arrivals"), "world_told"]
    assert by.loc[("SYR", "departures"), "own_told"] > 0.7
    assert by.loc[("DEU", "arrivals"), "new"] == 0 and (by.loc[("DEU", "arrivals")].iloc[1:] == 0).all()
    shares = table[[c for c in table if c.endswith("_told")]].to_numpy()
    assert ((shares >= 0) & (shares <= 1)).all()
    elsewhere = rank.flow_shares(what, [reports.report_of(needy, registers, 0, 0)], np.flatnonzero(
        (what.origin != 0) & (what.destination != 0) & (what.destination != TUR)))
    assert abs(elsewhere.mean()) < 0.02


def test_countries_and_corridors_have_today_s_columns(needy, what, registers):
    table = rank.rank_countries(needy, what, registers)
    assert list(table.columns) == [*COUNTRY_COLUMNS, "first_year", "last_year"] and len(table) == 2 * len(CODES)
    assert table["territory"].iloc[0] == "TUR" and table["rank"].tolist() == list(range(1, len(table) + 1))
    assert (table["sigma_reported"] <= table["sigma"] + 1e-12).all()
    np.testing.assert_allclose(table["gain"], 1 - (table["sigma_reported"] / table["sigma"]) ** 2, atol=1e-9)
    assert (table["narrowing_persons"] > -1e-6).all()
    germany = table[(table["territory"] == "DEU") & (table["side"] == "arrivals")].iloc[0]
    assert germany["narrowing_persons"] == 0 and germany["new"] == 0
    seen = np.full((len(CODES),) * 2, SEEN[3])
    by = rank.rank_corridors(needy, what, registers, seen).set_index("destination")["by"]
    assert (by.loc["DEU"] == "departures").all()            # its own office reports them already
    table = rank.rank_corridors(needy, what, registers, seen, 20)
    assert list(table.columns) == list(CORRIDOR_COLUMNS) and len(table) == 20
    top = table.iloc[0]
    assert top["destination"] == "TUR" and (table["narrowing_below"].diff().dropna() <= 0).all()
    o, d = (list(CODES).index(top[k]) for k in ("origin", "destination"))
    variance = np.log1p(needy.flow[:, o, d].astype(np.float64)).var(ddof=1)
    known = variance / (variance + bias_variance(0.1) + report_variance(0.15, 3, top["persons"]))
    assert top["gain"] == pytest.approx(known, abs=0.01)
    assert (table["lower"] <= table["lower_reported"]).all() and (table["upper_reported"] <= table["upper"]).all()


def test_what_a_report_tells_of_the_rest_is_nothing_elsewhere(needy, what, registers):
    table = rank.shared_table(needy, what, registers)
    assert list(table.columns) == list(rank.SHARED_COLUMNS)
    assert set(table["target"]) == {"departures", "arrivals before", "departures before", "net migration",
                                    "foreign-born"}
    assert "DEU" not in set(table["territory"])
    assert table["told"].between(0, 1).all() and (table["r2_elsewhere"].abs() < 0.1).all()
    own = table.set_index(["territory", "target"])["told"]
    assert own[("TUR", "arrivals before")] > 0.8 > own[("TUR", "foreign-born")] + 0.6


def test_draws_of_pure_noise_promise_nothing(nothing_told, registers):
    """No corridor has anything to do with another: then a report tells of the corridors that it counts, and no more."""
    own, rest = [], []
    for k in range(4):
        kept = gather(make_draws(np.random.default_rng(k), corridor=0.3, network=0.3), nothing_told, [4, 5])
        what = rank.Quantities(kept, REGIONS)
        for office in (0, 5):
            told = rank.flow_shares(what, reports.reports_of(kept, registers, office, reports.BOTH))
            about = (what.origin == office) | (what.destination == office)
            own.append(told[about].mean()), rest.append(told[~about].mean())
    assert np.mean(own) > 0.6 and abs(np.mean(rest)) < 0.012


def test_a_sequence_counts_nothing_twice(needy, what, registers):
    table = sequence.choose_offices(needy, what, registers, 4)
    assert list(table.columns) == list(sequence.SEQUENCE_COLUMNS)
    assert table["territory"].tolist()[:2] == ["TUR", "SYR"] and table["territory"].is_unique
    np.testing.assert_allclose(table["told"].cumsum(), table["told_together"])
    assert table["told_together"].iloc[1] > 0.9 and table["flows_left"].is_monotonic_decreasing
    alone = rank.flow_shares(what, reports.reports_of(needy, registers, TUR, reports.BOTH))
    expected = rank.weighted(alone, what.logs.var(0, ddof=1), what.weight)
    assert table["told"].iloc[0] == pytest.approx(expected, abs=0.03)


def test_two_offices_at_the_ends_of_one_corridor_tell_it_once(nothing_told, registers):
    """All that is not known is one corridor: who reports it first leaves the other nothing."""
    corridor = np.zeros((len(CODES),) * 2)
    corridor[SYR, TUR] = 1.5
    kept = gather(make_draws(np.random.default_rng(1), corridor=corridor, network=0.0), nothing_told, [4])
    what = rank.Quantities(kept, REGIONS)
    table = sequence.choose_offices(kept, what, registers, 2, ranked=[SYR, TUR])
    assert table["told"].iloc[0] > 0.9
    assert len(table) == 1 or table["told"].iloc[1] < 0.05


@pytest.mark.parametrize("number, kind", [(0, "both"), (50, "both"), (2, "gossip")])
def test_impossible_sequences_are_refused(needy, what, registers, number, kind):
    with pytest.raises(SchemaError):
        sequence.choose_offices(needy, what, registers, number, kind=kind)


def test_a_world_without_corridors_is_refused(needy):
    with pytest.raises(SchemaError):
        rank.Quantities(needy, REGIONS, fewest=1e12)
    with pytest.raises(SchemaError):
        rank.Quantities(needy, REGIONS[:3])
