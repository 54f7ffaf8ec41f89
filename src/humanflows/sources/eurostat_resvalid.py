"""Eurostat, residence permits valid on 31 December by citizenship of a third country (migr_resvalid), 2008–2023.

A stock of documents, not of people: citizens of the EU and of EFTA need none, so a zero for them says nothing; nor does
one for Croatia from its accession, or for the United Kingdom before 2020. Their other numbers are kept: some receivers
issue cards all the same. Changes of law move whole stocks (Denmark 2021–2022, Germany's British citizens in 2021).
"""
from pathlib import Path

import pandas as pd

from ..schema import validate
from .eurostat_io import NOT_TERRITORIES, once, read_numbers, read_rows, reported_years, territory_of
from .names import precedes_partner
from .omissions import AGGREGATE, BEFORE_PARTNER, OWN, STATELESS, UNKNOWN, Omissions
from .plausible import refuse_thousands

SOURCE = "eurostat_resvalid"
COLUMNS = {"Country of citizenship": "citizenship", "geo": "reporter", "year": "year", "Migrants number": "persons"}
OUTSIDE = NOT_TERRITORIES | {"Total": AGGREGATE, "Stateless": STATELESS, "Unknown": UNKNOWN}
NO_PERMIT_NEEDED = "zero for citizens who needed no permit"
FREE = {**dict.fromkeys(("CHE", "ISL", "LIE", "NOR"), (0, 9999)), "HRV": (2013, 9999), "GBR": (0, 2019)}


def read_eurostat_resvalid(path: Path, *, omitted: Omissions | None = None) -> pd.DataFrame:
    """Valid permits by citizenship and receiver.

    Parameters
    ----------
    path : ``migrants_all_valid_permits.csv``.
    omitted : collects what is left out.

    Returns
    -------
    Table ``pair_year``: ``valid_permits`` on 31 December, status reported.

    Raises
    ------
    SourceFileError, SchemaError, UnknownTerritoryError, NegativeCountError, DuplicateKeyError
        Naming file and row.
    """
    omitted = Omissions() if omitted is None else omitted
    frame = once(read_numbers(read_rows(path, COLUMNS), omitted, file=path), ["citizenship", "reporter", "year"],
                 omitted, file=path)
    frame = frame.assign(reporter=territory_of(frame["reporter"], file=path))
    frame = reported_years(omitted.keep(frame, frame["reporter"].notna(), AGGREGATE), omitted)
    refuse_thousands(frame, ["reporter"], ["citizenship"], file=path)
    partner = territory_of(frame["citizenship"], file=path, outside=OUTSIDE)
    frame = omitted.keep(frame.assign(partner=partner), partner.notna(), frame["citizenship"].map(OUTSIDE))
    frame = omitted.keep(frame, frame["partner"] != frame["reporter"], OWN)
    first, last = (frame["partner"].map({k: v[i] for k, v in FREE.items()}) for i in (0, 1))
    free = (frame["persons"] == 0) & (frame["year"] >= first) & (frame["year"] <= last)
    frame = omitted.keep(frame, ~free, NO_PERMIT_NEEDED)
    frame = omitted.keep(frame, ~precedes_partner(frame["partner"], frame["year"], frame["persons"]), BEFORE_PARTNER)
    return validate(pd.DataFrame({
        "source": SOURCE, "variable": "valid_permits", "year": frame["year"], "origin": frame["partner"],
        "destination": frame["reporter"], "value": frame["persons"], "status": "reported"}), "pair_year", file=path)
