"""Labels that are territories, margins or neither, and numbers that are out of scale."""
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from humanflows.errors import DuplicateKeyError, SchemaError, UnknownTerritoryError
from humanflows.sources.omissions import AGGREGATE, BEFORE_PARTNER, OWN, Omissions
from humanflows.sources.partners import Labels, check_scale, indicators, reported_flows

LABELS = Labels(names={"Gaza": "PSE"}, groups={"Total": "total", "Not stated": "unknown", "No answer": "unknown"},
                left_out={"Asia": AGGREGATE})


def reports(*rows, reporter="SWE", criterion="citizenship", side="immigration") -> pd.DataFrame:
    """One row for each (label, year, persons)."""
    frame = pd.DataFrame(rows, columns=["label", "year", "persons"]).astype({"persons": float})
    return frame.assign(row=range(2, len(frame) + 2), reporter=reporter, criterion=criterion, side=side)


def read(frame, omitted=None):
    return reported_flows(frame, LABELS, source="s", file="f", omitted=Omissions() if omitted is None else omitted)


def test_parts_are_summed_and_the_reporter_is_a_margin_but_by_residence():
    frame = reports(("Gaza", 2000, 1), ("Palestine", 2000, 2), ("Sweden", 2000, 7), ("Total", 2000, 99),
                    ("Not stated", 2000, 3), ("No answer", 2000, 4), ("Asia", 2000, 50), ("Serbia", 2000, 0))
    omitted = Omissions()
    tables = read(frame, omitted)
    assert tables["flow"][["origin", "destination", "persons"]].values.tolist() == [["PSE", "SWE", 3]]
    assert tables["margin"].set_index("group")["persons"].to_dict() == {"own": 7, "total": 99, "unknown": 7}
    assert set(omitted.table()["reason"]) == {AGGREGATE, BEFORE_PARTNER}
    tables = read(frame.assign(criterion="residence"), omitted)
    assert set(tables["margin"]["group"]) == {"total", "unknown"} and OWN in set(omitted.table()["reason"])


@settings(max_examples=20)
@given(st.lists(st.tuples(st.sampled_from(["Gaza", "Palestine", "Sweden", "Total", "Not stated", "Asia", "Serbia",
                                           "France"]),
                          st.integers(2000, 2002), st.integers(0, 900) | st.none()),
                max_size=30, unique_by=lambda r: r[:2]),
       st.sampled_from(["residence", "citizenship"]), st.sampled_from(["immigration", "emigration"]))
def test_nobody_is_lost_between_tables_and_omissions(rows, criterion, side):
    omitted = Omissions()
    frame = reports(*rows, criterion=criterion, side=side)
    tables = read(frame, omitted)
    kept = sum(t["persons"].sum() for t in tables.values())
    np.testing.assert_allclose(kept + omitted.table()["persons"].sum(), frame["persons"].sum())


def test_labels_may_be_codes():
    coded = Labels(groups={"TOT": "total"}, coded=True)
    tables = reported_flows(reports(("FRA", 2000, 1), ("TOT", 2000, 2)), coded, source="s", file="f",
                            omitted=Omissions())
    assert tables["flow"]["origin"].tolist() == ["FRA"] and tables["margin"]["persons"].tolist() == [2]
    with pytest.raises(UnknownTerritoryError, match=r"f: .*'FRX'.*row 3"):
        reported_flows(reports(("FRA", 2000, 1), ("FRX", 2000, 2)), coded, source="s", file="f", omitted=Omissions())


def test_two_numbers_of_one_label_are_refused():
    with pytest.raises(DuplicateKeyError, match=r"f: .*'France', 2000.*row 3"):
        read(reports(("France", 2000, 1), ("France", 2000, 1)))


def test_a_year_or_a_number_in_thousands_is_refused():
    countries = ("France", "Chile", "Japan", "Kenya", "Peru", "Poland")
    steady = [(c, y, 2000 + 10 * y + n) for n, c in enumerate(countries) for y in range(2000, 2005)]
    check_scale(reports(*steady), file="f")
    for year in (2001, 2002, 2004):
        with pytest.raises(SchemaError, match=rf"f: .*{year}.*row"):
            check_scale(reports(*((c, y, n / 1000 if y == year else n) for c, y, n in steady)), file="f")
    with pytest.raises(SchemaError, match=r"Chile, immigration 2002.*row 9"):
        check_scale(reports(*((c, y, n * 1000 if (c, y) == ("Chile", 2002) else n) for c, y, n in steady)), file="f")


def test_a_wave_a_closed_border_and_small_numbers_are_no_error_of_scale():
    check_scale(reports(*(("Ukraine", y, n) for y, n in ((2020, 90), (2021, 120), (2022, 130_000), (2023, 41_000)))),
                file="f")
    check_scale(reports(*(("Chile", y, n) for y, n in ((2019, 20_000), (2020, 700), (2021, 900), (2022, 25_000)))),
                file="f")
    check_scale(reports(*(("Chile", y, n) for y, n in ((2019, 1), (2020, 900), (2021, 1)))), file="f")
    check_scale(reports(("Chile", 2019, 5000), ("Chile", 2021, 5), ("Chile", 2022, 5000)), file="f")   # 2020 is absent


def test_an_indicator_is_imputed_where_a_part_is():
    frame = pd.DataFrame([("Gaza", 2000, 3.0, "imputed"), ("Palestine", 2000, 5.0, "reported"),
                          ("France", 2000, 4.0, "reported"), ("Canada", 2000, 9.0, "reported")],
                         columns=["label", "year", "value", "status"]).assign(row=range(4))
    omitted = Omissions()
    table = indicators(frame, LABELS, source="s", variable="visas_issued", destination="CAN", file="f",
                       omitted=omitted)
    assert table[["origin", "value", "status"]].values.tolist() == [["PSE", 8, "imputed"], ["FRA", 4, "reported"]]
    assert omitted.table()[["reason", "persons"]].values.tolist() == [[OWN, 9]]
