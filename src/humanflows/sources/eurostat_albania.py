"""Eurostat, two extracts made for Albania: emigration by citizenship (migr_emi1ctz) and first permits (migr_resfirst).

The first holds, for every reporter of 2015–2024, emigrants who are citizens of Albania and the totals beside them: all
emigrants, own citizens, stateless, unknown. The second holds first residence permits of citizens of Albania and of all
third countries together, by reason, 19 reporters; its totals over citizenships name no origin and are counted only.
"""
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from ..errors import SchemaError, SourceFileError
from ..schema import validate
from .eurostat_io import code_of, once, only, read_numbers, read_rows
from .omissions import AGGREGATE, ANOTHER_YEAR, PART, Omissions
from .plausible import refuse_thousands

SOURCE = "eurostat_albania"
FILES = ("eurostat_albanian_citizens_emigration.csv.gz", "eurostat_first_residence_permits_albania.csv.gz")
LAST_YEAR = 2024
CITIZENSHIP = "AL"
MARGINS = {"TOTAL": "total", "NAT": "own", "STLS": "stateless", "UNK": "unknown"}
GROUPS = frozenset({"EU28_FOR", "NEU28_FOR"})
REASONS = frozenset({"EDUC", "EMP", "FAM", "OTH"})
_COMMON = {"citizen": "citizenship", "geo": "reporter", "TIME_PERIOD": "year", "OBS_VALUE": "persons"}


def read_eurostat_albania(paths: Mapping[str, Path], *, omitted: Omissions | None = None) -> dict[str, pd.DataFrame]:
    """Emigrants and their totals, and first permits.

    Parameters
    ----------
    paths : file by name, the names being those of ``FILES``.
    omitted : collects what is left out.

    Returns
    -------
    dict
        ``flow``: side emigration, criterion citizenship, origin the reporter, destination ``ALB``. ``margin``: quantity
        flow, side emigration, groups total, own, stateless, unknown. ``pair_year``: ``first_permits``.

    Raises
    ------
    SourceFileError, SchemaError, UnknownTerritoryError, NegativeCountError, DuplicateKeyError
        Naming file and row.
    """
    omitted = Omissions() if omitted is None else omitted
    absent = [f for f in FILES if f not in paths]
    if absent:
        raise SourceFileError(absent[0], "file of the extract not given", "fetch the group eurostat_albania")
    flow, margin = _emigration(paths[FILES[0]], omitted)
    return {"flow": flow, "margin": margin, "pair_year": _permits(paths[FILES[1]], omitted)}


def _emigration(path: Path, omitted: Omissions) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = read_rows(path, {**_COMMON, "sex": "sex", "age": "age", "unit": "unit"})
    frame = _clean(rows, {"sex": "T", "age": "TOTAL", "unit": "NR"}, ["citizenship", "reporter", "year"], omitted, path)
    frame = _known(frame, {CITIZENSHIP, *MARGINS, *GROUPS}, path)
    frame = omitted.keep(frame, ~frame["citizenship"].isin(GROUPS), AGGREGATE)
    refuse_thousands(frame, ["reporter"], ["citizenship"], file=path)
    group = frame["citizenship"].map(MARGINS)
    frame = frame.assign(group=group)
    to_albania = omitted.keep(frame[group.isna()], frame.loc[group.isna(), "reporter"] != "ALB", AGGREGATE)
    flow = pd.DataFrame({
        "source": SOURCE, "reporter": to_albania["reporter"], "side": "emigration", "criterion": "citizenship",
        "flow_type": "movement", "year": to_albania["year"], "origin": to_albania["reporter"], "destination": "ALB",
        "persons": to_albania["persons"]})
    margin = frame[group.notna()]
    margin = pd.DataFrame({
        "source": SOURCE, "quantity": "flow", "side": "emigration", "criterion": "citizenship",
        "territory": margin["reporter"], "group": margin["group"], "year": margin["year"],
        "persons": margin["persons"]})
    return validate(flow, "flow", file=path), validate(margin, "margin", file=path)


def _permits(path: Path, omitted: Omissions) -> pd.DataFrame:
    rows = read_rows(path, {**_COMMON, "reason": "reason", "duration": "duration", "unit": "unit"})
    frame = _clean(rows, {"duration": "TOTAL", "unit": "PER"}, ["citizenship", "reason", "reporter", "year"], omitted,
                   path)
    frame = _known(frame, {CITIZENSHIP, "TOTAL"}, path)
    odd = ~frame["reason"].isin({*REASONS, "TOTAL"})
    if odd.any():
        raise SchemaError(path, f"unknown reason {frame.loc[odd.idxmax(), 'reason']!r}",
                          f"expected TOTAL or one of {sorted(REASONS)}", key=f"row {odd.idxmax()}")
    frame = omitted.keep(frame, frame["reason"] == "TOTAL", PART)
    frame = omitted.keep(frame, frame["citizenship"] != "TOTAL", AGGREGATE)
    frame = omitted.keep(frame, frame["year"] <= LAST_YEAR, ANOTHER_YEAR)
    refuse_thousands(frame, ["reporter"], ["citizenship"], file=path)
    return validate(pd.DataFrame({
        "source": SOURCE, "variable": "first_permits", "year": frame["year"], "origin": "ALB",
        "destination": frame["reporter"], "value": frame["persons"], "status": "reported"}), "pair_year", file=path)


def _clean(rows: pd.DataFrame, single: Mapping[str, str], key: list[str], omitted: Omissions, path) -> pd.DataFrame:
    frame = once(read_numbers(only(rows, single, file=path), omitted, file=path), key, omitted, file=path)
    frame = frame.assign(reporter=code_of(frame["reporter"], file=path))
    return omitted.keep(frame, frame["reporter"].notna(), AGGREGATE)


def _known(frame: pd.DataFrame, known: set[str], path) -> pd.DataFrame:
    odd = ~frame["citizenship"].isin(known)
    if odd.any():
        raise SchemaError(path, f"unknown citizenship {frame.loc[odd.idxmax(), 'citizenship']!r}",
                          f"expected one of {', '.join(sorted(known))}", key=f"row {odd.idxmax()}")
    return frame
