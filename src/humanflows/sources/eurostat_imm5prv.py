"""Eurostat, immigration by country of previous residence (migr_imm5prv), EU, EFTA and the UK, 1998–2023.

Codes are those of Eurostat in the year of the extract: GR and UK. ``OTHER`` among the partners is the sum of all other
countries that the reporter names, kept as a margin; it is no remainder of the total for the United Kingdom, Slovenia
before 2008 and Luxembourg before 2008, which name few. ``OTHER`` among the reporters is no country. Years for which a
reporter's every cell is zero (Austria 2009 and 2010, Switzerland 2006) were filled, not counted.
"""
from pathlib import Path

import pandas as pd

from ..schema import validate
from .eurostat_io import code_of, once, read_numbers, read_rows, reported_years
from .names import precedes_partner
from .omissions import AGGREGATE, BEFORE_PARTNER, OWN, Omissions
from .plausible import refuse_thousands

SOURCE = "eurostat_imm5prv"
COLUMNS = {"partner": "partner", "geo": "reporter", "year": "year", "value": "persons"}
OTHER = frozenset({"OTHER"})


def read_eurostat_imm5prv(path: Path, *, omitted: Omissions | None = None) -> dict[str, pd.DataFrame]:
    """Immigrants by previous residence, as the receiving country counts them.

    Parameters
    ----------
    path : ``immigration_bilateral_total.csv``.
    omitted : collects what is left out.

    Returns
    -------
    dict
        ``flow``: side immigration, criterion residence, flow_type movement. ``margin``: quantity flow, group others.

    Raises
    ------
    SourceFileError, SchemaError, UnknownTerritoryError, NegativeCountError, DuplicateKeyError
        Naming file and row.
    """
    omitted = Omissions() if omitted is None else omitted
    frame = once(read_numbers(read_rows(path, COLUMNS), omitted, file=path), ["partner", "reporter", "year"], omitted,
                 file=path)
    others = frame["partner"].isin(OTHER)
    frame = frame.assign(reporter=code_of(frame["reporter"], file=path, outside=OTHER),
                         partner=code_of(frame["partner"], file=path, outside=OTHER), others=others)
    frame = reported_years(omitted.keep(frame, frame["reporter"].notna(), AGGREGATE), omitted)
    refuse_thousands(frame.fillna({"partner": "OTHER"}), ["reporter"], ["partner"], file=path)
    margin, frame = frame[frame["others"]], frame[~frame["others"]]
    frame = omitted.keep(frame, frame["partner"] != frame["reporter"], OWN)
    frame = omitted.keep(frame, ~precedes_partner(frame["partner"], frame["year"], frame["persons"]), BEFORE_PARTNER)
    flow = pd.DataFrame({
        "source": SOURCE, "reporter": frame["reporter"], "side": "immigration", "criterion": "residence",
        "flow_type": "movement", "year": frame["year"], "origin": frame["partner"], "destination": frame["reporter"],
        "persons": frame["persons"]})
    margin = pd.DataFrame({
        "source": SOURCE, "quantity": "flow", "side": "immigration", "criterion": "residence",
        "territory": margin["reporter"], "group": "others", "year": margin["year"], "persons": margin["persons"]})
    return {"flow": validate(flow, "flow", file=path), "margin": validate(margin, "margin", file=path)}
