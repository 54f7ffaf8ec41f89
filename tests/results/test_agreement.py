"""Agreement with the published estimates of 2023, on the real files where they are."""
import numpy as np
import pandas as pd
import pytest

from humanflows.baselines.pseudo_bayes import WEIGHT
from humanflows.baselines.reconstruct import METHODS, build_periods, reconstruct
from humanflows.errors import InputError, SourceFileError
from humanflows.results.agreement import compare_published, read_implied_net_migration, with_net_migration

PUBLISHED = "abel_cohen_2023"
FILES = ("undesa_ims/gdidata_undesa_stocks_2020rev.rda", "abel_cohen/flow_da_min_closed.json", "wpp2024/misc1dt.rda")


def rows(values, source="ours", method="m", year=2000):
    return pd.DataFrame([(source, method, year, o, d, float(p)) for (o, d), p in values.items()],
                        columns=["source", "method", "year", "origin", "destination", "persons"])


def test_scores_by_hand():
    ours = rows({("A", "B"): 10, ("B", "A"): 20.4, ("A", "C"): 30, ("A", "X"): 9})
    theirs = rows({("A", "B"): 10, ("B", "A"): 21, ("A", "C"): 33, ("C", "Y"): 9}, "theirs")
    found = compare_published(ours, theirs).iloc[0]
    # three territories in common, six corridors: one differs by three, three are zero on both sides
    assert found["corridors"] == 6 and found["within_one"] == pytest.approx(5 / 6)
    assert found["total"] == pytest.approx(60.4) and found["total_published"] == 64
    a, b = np.array([10, 20.4, 30, 0, 0, 0]), np.array([10, 21, 33, 0, 0, 0])
    assert found["r"] == pytest.approx(np.corrcoef(a, b)[0, 1])
    assert found["log_r"] == pytest.approx(np.corrcoef(np.log1p(a), np.log1p(b))[0, 1])
    assert found["log_r_positive"] == pytest.approx(np.corrcoef(np.log(a[:3]), np.log(b[:3]))[0, 1])


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(InputError, match="no method and period in common"):
        compare_published(rows({("A", "B"): 1}), rows({("A", "B"): 1}, year=2005))
    with pytest.raises(InputError, match="choose one source"):
        compare_published(pd.concat([rows({("A", "B"): 1}), rows({("B", "A"): 1}, "other")]), rows({("A", "B"): 1}))
    with pytest.raises(SourceFileError):
        read_implied_net_migration("no such file.json")


def test_net_migration_can_be_replaced(small_tables):
    period = build_periods(small_tables)[0]
    names = [str(c) for c in period.births["residence"].values]
    wanted = {c: 100.0 * (-1) ** k for k, c in enumerate(names)}
    wanted[names[-1]] -= sum(wanted.values())
    flow = with_net_migration(period, wanted).predict("da_min_closed", tolerance=1e-6).corridors
    net = flow.sum("origin").values - flow.sum("destination").values
    assert np.allclose(net, [wanted[c] for c in names], atol=0.5)
    with pytest.raises(InputError, match="a territory is missing"):
        with_net_migration(period, {})
    with pytest.raises(InputError, match="more than the population allows"):
        with_net_migration(period, {**wanted, names[0]: 1e12})


# ---- the real files ------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def real():
    """Tables of the world and the published estimates, read once; used only after `source_file` found the files."""
    from humanflows.sources.catalogue import load_source

    tables = {**load_source("undesa_ims"), **load_source("wpp")}
    table = load_source("abel_cohen")["reconstruction"]
    return tables, table[table["source"] == PUBLISHED]


@pytest.fixture
def world(source_file, request):
    for name in FILES:
        source_file(name)
    return request.getfixturevalue("real")


def ours(tables, **options):
    return reconstruct(tables, revision=2020, **options)


@pytest.mark.sources
def test_differences_of_stocks_equal_the_published_integers(world):
    """All but the corridor whose stock of 2015 this project corrects: Turkiye and the United States."""
    tables, published = world
    found = ours(tables, method=["sd_drop_neg", "sd_rev_neg"])
    table = compare_published(found, published)
    assert len(table) == 12 and (table["corridors"] > 49_000).all() and (table["within_one"] >= 0.9999).all()
    keys = ["method", "year", "origin", "destination"]
    both = found.merge(published, on=keys, how="outer", suffixes=("", "_published")).fillna({
        "persons": 0.0, "persons_published": 0.0})
    both = both[both["method"].isin(["sd_drop_neg", "sd_rev_neg"])]
    off = both[(both["persons"].round() - both["persons_published"]).abs() > 1]
    assert set(zip(off["origin"], off["destination"])) <= {("TUR", "USA"), ("USA", "TUR")}
    assert set(off["year"]) <= {2010, 2015}


@pytest.mark.sources
def test_rates_and_accounts_agree_with_the_published_as_far_as_the_vintage_of_net_migration_lets_them(world):
    tables, published = world
    table = compare_published(ours(tables, method=["mig_rate", "da_min_open", "da_min_closed", "da_pb_closed"]),
                              published).set_index(["method", "year"])
    assert (table.loc["mig_rate", "log_r"] > 0.99).all()
    assert (table.loc["da_min_open", "log_r"] > 0.99).all()
    assert (table.loc["da_min_open", "ratio"].between(0.95, 1.05)).all()
    assert (table.loc["da_pb_closed", "log_r"] > 0.98).all()
    assert (table.loc["da_min_closed", "log_r"] > 0.86).all()      # 0.97 is out of reach: see the next test


@pytest.mark.sources
def test_with_the_published_net_migration_the_published_flows_follow(world, source_file):
    """Hence the difference above is that of the World Population Prospects of 2022 and 2024, and not of the method."""
    tables, published = world
    net = read_implied_net_migration(source_file("abel_cohen/flow_da_min_closed.json"))
    parts = []
    for period in build_periods(tables, revision=2020):
        period = with_net_migration(period, net[period.years[0]].to_dict())
        for method in ("da_min_closed", "da_pb_closed"):
            flow = period.predict(method, by_birthplace=False).flow
            flow = flow.drop_sel({d: list(period.merged) for d in flow.dims})
            o, d = np.nonzero(flow.values)
            names = flow["origin"].values
            parts.append(pd.DataFrame({"source": "ours", "method": method, "year": period.years[0], "origin": names[o],
                                       "destination": names[d], "persons": flow.values[o, d]}))
    table = compare_published(pd.concat(parts, ignore_index=True), published)
    assert len(table) == 12
    assert (table["r"] > 0.995).all() and (table["log_r"] > 0.99).all() and table["ratio"].between(0.99, 1.01).all()


@pytest.mark.sources
def test_the_published_pseudo_bayes_flows_give_the_weight_back(world, source_file):
    """Least squares of the published mixture on its two ends."""
    tables, published = world
    period = build_periods(tables, [(1990, 1995)], revision=2020)[0]
    net = read_implied_net_migration(source_file("abel_cohen/flow_da_min_closed.json"))
    period = with_net_migration(period, net[1990].to_dict())
    fewest = period.predict("da_min_closed", by_birthplace=False).flow
    most = period.predict("da_pb_closed", by_birthplace=False, weight=0.0).flow
    both = published[(published["method"] == "da_pb_closed") & (published["year"] == 1990)]
    both = both.set_index(["origin", "destination"])["persons"].unstack()
    places = [c for c in fewest["origin"].values if c in both.index and c in both.columns]
    a, b = (x.sel(origin=places, destination=places).values for x in (fewest, most))
    mixed = both.loc[places, places].fillna(0.0).to_numpy()
    assert ((a - b) * (mixed - b)).sum() / ((a - b) ** 2).sum() == pytest.approx(WEIGHT, abs=1e-3)


@pytest.mark.sources
def test_the_published_rates_sum_to_absolute_net_migration(world, source_file):
    """The total M of the published migration-rate flows: the sum of absolute net migrations, within half a percent."""
    _, published = world
    net = read_implied_net_migration(source_file("abel_cohen/flow_da_min_closed.json"))
    rate = published[published["method"] == "mig_rate"].groupby("year")["persons"].sum()
    for year in (2010, 2015):                                   # every territory stands for itself
        assert rate[year] == pytest.approx(net[year].abs().sum(), rel=5e-3)


@pytest.mark.sources
def test_the_revision_of_2024_up_to_2024(world):
    tables, _ = world
    periods = [(y, y + 5) for y in range(1990, 2020, 5)] + [(2020, 2024)]
    found = reconstruct(tables, periods, method=list(METHODS))
    totals = found.groupby(["method", "year"])["persons"].sum().unstack("method")
    assert list(totals.index) == [a for a, _ in periods]
    assert (totals["sd_drop_neg"] < totals["sd_rev_neg"]).all()
    assert (totals["da_min_closed"] < totals["da_pb_closed"]).all()
    assert totals["da_pb_closed"].between(60e6, 120e6).all()
    last = build_periods(tables, [(2020, 2024)])[0]
    assert last.births.sizes["residence"] >= 229 and last.merged == ()
