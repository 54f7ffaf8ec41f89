"""Events at borders and asylum applicants, tidied by IOM's Global Data Institute (R package gdidata).

Five offices' counts of events, not of people (who is turned back and tries again is counted again) and not of moves of
residence, and Eurostat's first-time asylum applicants. Nationality stands for the origin.

====================  ==============================================  =====================  ==========
file                  what is counted                                 variable               years
====================  ==============================================  =====================  ==========
irreg_usa             encounters at the south-west border of the USA  border_encounters      2020–2024
irreg_mexico_nat      people in an irregular situation found, Mexico  transits               2018–2024
irreg_darien_nat      irregular arrivals in Panama by the Darién      transits               2010–2024
irreg_honduras_nat    irregular arrivals in Honduras                  transits               2018–2024
irreg_mexico_exp      deportations and assisted returns from Mexico   removals               2015–2024
eu_asyapp             first-time asylum applicants (migr_asyappctza)  asylum_applications    2011–2024
frontex               detections at the external border, by route     none
====================  ==============================================  =====================  ==========

Months are summed to calendar years; a year without its twelve months is left out (2020 in Honduras and at the Darién,
when borders were shut for two and three months: the Darién's file gives 6,465 where Panama later published 8,594). The
Darién is by year up to 2019. Encounters of the USA's fiscal years 2018 and 2019 are totals without nationality. A route
of Frontex is no territory: its detections are counted as left out.

Two labels of an office sometimes got one code, and stand in two rows of a month: they are added (French citizens by
department in Mexico; 263 events of 19 thousand beside Guinea's in Mexico are probably those of Equatorial Guinea). In
Honduras, China got Taiwan's code from 2022 to 2024 (23,443 events, where Mexico found 31,872 Chinese and 7 Taiwanese
on the same way): it is read as China.
"""
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from ..errors import SchemaError, SourceFileError
from ..schema import validate
from ..territories import check_codes
from .cells import counts, refuse_repeats, whole_numbers, years
from .omissions import AGGREGATE, ANOTHER_YEAR, INCOMPLETE_YEAR, NO_NUMBER, OUTSIDE, OWN, STATELESS, Omissions
from .rdata_io import read_frame

SOURCE = "iom_gdidata"
# Nationalities that are no territory: others together, stateless, Kosovo, Cocos and Pitcairn Islands, Tibetans.
NOT_TERRITORIES = {"OOO": "other nationalities together", "OOS": "other nationalities together", "STL": STATELESS,
                   "XKX": OUTSIDE, "CCK": OUTSIDE, "PCN": OUTSIDE, "TIB": OUTSIDE, "": AGGREGATE}
BY_ROUTE = "by route, not by territory"
# Of files by month: variable, country that counts, further columns of a breakdown whose rows are added.
MONTHLY = {
    "irreg_usa": ("border_encounters", "USA", ["component", "area", "authority", "type", "demog"]),
    "irreg_mexico_nat": ("transits", "MEX", []),
    "irreg_darien_nat": ("transits", "PAN", []),
    "irreg_honduras_nat": ("transits", "HND", []),
    "irreg_mexico_exp": ("removals", "MEX", ["type"]),
}
# Files where a nationality may stand twice in a month, under two labels that gdidata gave one code.
TWICE = frozenset({"irreg_honduras_nat", "irreg_mexico_nat"})
MISCODED = {"irreg_honduras_nat": {"TWN": "CHN"}}
YEARLY_UNTIL = {"irreg_darien_nat": 2019}
LAST_YEAR = 2024


def read_iom_gdidata(paths: Mapping[str, Path], *, omitted: Omissions | None = None) -> pd.DataFrame:
    """Encounters, transits, removals and first-time asylum applicants.

    Parameters
    ----------
    paths : file by name: the keys of ``MONTHLY``, ``eu_asyapp`` and ``frontex``, each with ``.rda``.
    omitted : collects what is left out.

    Returns
    -------
    Table ``pair_year``, status reported; origin the nationality, destination who counts. Of ``removals`` the origin is
    the country that removes and the destination the nationality.

    Raises
    ------
    SourceFileError, SchemaError, UnknownTerritoryError, NegativeCountError, DuplicateKeyError
        Naming file and row.
    """
    omitted = Omissions() if omitted is None else omitted
    absent = [f for f in (*MONTHLY, "eu_asyapp", "frontex") if f"{f}.rda" not in paths]
    if absent:
        raise SourceFileError(f"{absent[0]}.rda", "file of gdidata not given", "fetch the group iom_gdidata")
    parts = [_months(paths[f"{name}.rda"], name, omitted) for name in MONTHLY]
    parts.append(_applicants(paths["eu_asyapp.rda"], omitted))
    routes = _dated(paths["frontex.rda"], "frontex", ["route", "type"])
    omitted.keep(routes, pd.Series(False, index=routes.index), BY_ROUTE)
    return pd.concat(parts, ignore_index=True)


def _months(path: Path, name: str, omitted: Omissions) -> pd.DataFrame:
    variable, counting, breakdown = MONTHLY[name]
    frame = _dated(path, name, breakdown)
    if name not in TWICE:
        refuse_repeats(frame, ["date", "nat", *breakdown], file=path)
    frame = omitted.keep(frame, frame["persons"].notna(), NO_NUMBER)
    frame = _territories(frame.replace({"nat": MISCODED.get(name, {})}), path, omitted)
    frame = omitted.keep(frame, frame["nat"] != counting, OWN)
    months = frame.groupby("year")["month"].transform("nunique")
    whole = (months == 12) | (frame["year"] <= YEARLY_UNTIL.get(name, 0))
    frame = omitted.keep(frame, whole, INCOMPLETE_YEAR)
    frame = omitted.keep(frame, frame["year"] <= LAST_YEAR, ANOTHER_YEAR)
    summed = frame.groupby(["year", "nat"], as_index=False)["persons"].sum()
    ends = ("destination", "origin") if variable == "removals" else ("origin", "destination")
    return validate(pd.DataFrame({
        "source": SOURCE, "variable": variable, "year": summed["year"], ends[0]: summed["nat"], ends[1]: counting,
        "value": summed["persons"], "status": "reported"}), "pair_year", file=path)


def _applicants(path: Path, omitted: Omissions) -> pd.DataFrame:
    frame = read_frame(path, "eu_asyapp", ["geo", "t", "nat", "sex", "n"]).rename(columns={"n": "persons"})
    frame = frame.assign(nat=frame["nat"].astype(object).where(frame["nat"].notna(), ""),
                         year=years(frame["t"], file=path), persons=counts(frame["persons"], file=path))
    odd = ~frame["sex"].isin(["female", "male", "unknown"])
    if odd.any():
        raise SchemaError(path, f"sex {frame.loc[odd.idxmax(), 'sex']!r}", "a total beside the sexes would be counted "
                          "twice: keep female, male and unknown", key=f"row {odd.idxmax()}")
    refuse_repeats(frame, ["geo", "year", "nat", "sex"], file=path)
    frame = omitted.keep(frame, frame["persons"].notna(), NO_NUMBER)
    frame = omitted.keep(frame, check_codes(frame["geo"], file=path, outside={"EU27"}), AGGREGATE)
    frame = _territories(frame, path, omitted)
    frame = omitted.keep(frame, frame["nat"] != frame["geo"], OWN)
    frame = omitted.keep(frame, frame["year"] <= LAST_YEAR, ANOTHER_YEAR)
    summed = frame.groupby(["year", "nat", "geo"], as_index=False, observed=True)["persons"].sum()
    return validate(pd.DataFrame({
        "source": SOURCE, "variable": "asylum_applications", "year": summed["year"], "origin": summed["nat"],
        "destination": summed["geo"].astype(str), "value": summed["persons"], "status": "reported"}),
        "pair_year", file=path)


def _dated(path: Path, name: str, breakdown: list[str]) -> pd.DataFrame:
    """Rows with ``date`` (days since 1970, the first of a month), ``year``, ``month``, ``nat`` ("" if none)."""
    frame = read_frame(path, name, ["t", "nat", *breakdown, "n"]).rename(columns={"n": "persons", "t": "date"})
    when = pd.to_datetime(whole_numbers(frame["date"], file=path), unit="D", errors="coerce")
    bad = when.isna() | (when.dt.day != 1)
    if bad.any():
        raise SchemaError(path, f"date {frame.loc[bad.idxmax(), 'date']!r}", "expected the first day of a month, in "
                          "days since 1970", key=f"row {bad.idxmax()}")
    nat = frame["nat"].astype(object)
    return frame.assign(nat=nat.where(nat.notna(), ""), year=when.dt.year.astype("int64"),
                        month=when.dt.month.astype("int64"), persons=counts(frame["persons"], file=path))


def _territories(frame: pd.DataFrame, path: Path, omitted: Omissions) -> pd.DataFrame:
    inside = check_codes(frame["nat"], file=path, outside=frozenset(NOT_TERRITORIES))
    kept = omitted.keep(frame, inside, frame["nat"].map(NOT_TERRITORIES))
    return kept.astype({"nat": str})
