"""Tables about what was harmonised."""
import pandas as pd

from humanflows.panel.breaks import ENDS
from humanflows.panel.inventory import BREAK_COLUMNS, RECENT, count_reports, describe_panel, list_all_breaks
from humanflows.panel.publications import repeated_reports


def test_every_report_is_counted_once(small_tables, small_panel):
    made = describe_panel(small_tables, small_panel)
    flow = small_tables["flow"]
    flow = flow[flow["year"].between(int(small_panel["year"][0]), int(small_panel["year"][-1]))]
    assert made["reports"]["cells"].sum() == len(flow)
    same = repeated_reports(flow)
    assert made["reports"]["once"].sum() == (same < 0).sum()
    assert made["repeated"]["cells"].sum() == (same >= 0).sum()
    assert (made["reports"]["recent"] <= made["reports"]["once"]).all()
    assert list(made["breaks"].columns) == BREAK_COLUMNS


def reports(years, persons, **more):
    return pd.DataFrame([{"source": "oecd", "reporter": "FRA", "side": "immigration", "criterion": "citizenship",
                          "flow_type": "movement", "year": y, "origin": "ITA", "destination": "FRA",
                          "persons": float(n), **more} for y, n in zip(years, persons)])


def test_reports_of_recent_years_are_those_after_the_older_collections():
    flow = reports([RECENT - 1, RECENT], [10, 20])
    table = count_reports(flow, repeated_reports(flow))
    assert table[["cells", "once", "recent", "persons"]].values.tolist() == [[2, 2, 1, 30]]


def test_a_series_that_a_reporter_ends_is_listed_once(small_tables, small_panel):
    stock = small_tables["stock"].iloc[:0]
    ended = reports(range(2000, 2010), [5000] * 10)
    flow = pd.concat([ended, ended.assign(origin="ESP"), reports(range(2000, 2020), [9] * 20, reporter="DEU",
                                                                 destination="DEU")], ignore_index=True)
    found = list_all_breaks({"flow": flow, "stock": stock}, small_panel.drop_vars("displaced_stock_status"))
    assert len(found) == 1
    row = found.iloc[0]
    assert (row.table, row.reporter, row.kind, row.year, row.origin, row.before) == (
        "flow, reporter", "FRA", ENDS, 2010, "", 10_000)
