"""UNHCR Refugee Data Finder: who asked for asylum, who returned, who was resettled, by origin and asylum.

Asylum applications stand in several rows a pair, by authority, type and level, in persons or in cases. Only what is new
is counted, so that nobody's appeal is another applicant:

- types ``N`` (new), ``NR`` (new and repeated, not told apart), ``V`` (various, the only type of 2000–2005), ``NA`` and
  ``FA`` (not said; first instance and appeal together, a few countries of 2006–2017); not appeals (``A``, ``J``),
  repetitions (``R``, ``RA``) and subsidiary protection (``SP``), which follow an earlier application.
- levels of appeal or repetition (``AR``, ``JR``, ``RA``, ``SP``) are left out even where the type says new (Norway,
  Sweden, France 2008–2012), but for a reporter that gives no other level in that year (Congo since 2023).
- authorities (government, UNHCR, joint) are added, and so are the levels ``EO`` and ``IN`` of the USA (immigration
  courts, Citizenship and Immigration Services) and ``TA`` of Russia (temporary asylum): different people.

Cases: the USA's Citizenship and Immigration Services gave cases up to 2020; they are multiplied by the persons a case
that UNHCR itself assumes (`PERSONS_PER_CASE`, from its own table of flows, the same for all pairs of a year within
rounding). Elsewhere a case counts as one person, as UNHCR does. Cells with cases are marked as estimated.
"""
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import SchemaError
from ..schema import validate
from ..territories import check_codes
from .cells import counts, refuse_repeats, whole_numbers
from .omissions import ANOTHER_YEAR, INTERNAL, NO_NUMBER, OUTSIDE, STATELESS, UNKNOWN, Omissions
from .rdata_io import read_frame

SOURCE = "unhcr_more"
FIRST_YEAR, LAST_YEAR = 1959, 2024   # the package also holds the first half of 2025
# Codes that are no territory, and why their rows are left out; Tibetans are an origin of their own to UNHCR.
NOT_TERRITORIES = {"UNK": UNKNOWN, "UKN": UNKNOWN, "XXA": STATELESS, "STA": STATELESS,
                   "TIB": "Tibetans, whom UNHCR counts under no state", "VAT": OUTSIDE, "MAF": OUTSIDE}
NEW = frozenset({"N", "NR", "V", "NA", "FA"})
FOLLOWING = frozenset({"A", "J", "R", "RA", "SP"})
FIRST_LEVELS = frozenset({"FI", "FA", "NA", "EO", "IN", "TA"})
LATER_LEVELS = frozenset({"AR", "JR", "RA", "SP"})
NOT_NEW = "appeal or repetition of an application"
NO_MOVE = "solution without a move between territories (naturalised, returned at home)"
# Asylum applicants a case of the USA's Citizenship and Immigration Services, as UNHCR's table of flows has them.
PERSONS_PER_CASE = {**dict.fromkeys(range(2000, 2012), 1.4), 2012: 1.1, 2013: 1.356, 2014: 1.393, 2015: 1.406,
                    2016: 1.46, 2017: 1.501, 2018: 1.501, 2019: 1.49, 2020: 1.5}


def read_unhcr_more(applications: Path, solutions: Path, *, omitted: Omissions | None = None) -> pd.DataFrame:
    """Asylum applications, returns and resettlement, up to 2024.

    Parameters
    ----------
    applications : ``asylum_applications.rda``.
    solutions : ``solutions.rda``.
    omitted : collects what is left out.

    Returns
    -------
    Table ``pair_year``: ``asylum_applications`` (persons, origin → where they applied, since 2000),
    ``refugees_returned`` (origin the country of asylum that they left, destination their country) and
    ``refugees_resettled`` (origin their country, destination where they were resettled; the country of asylum between
    is not in the file).

    Raises
    ------
    SourceFileError, SchemaError, UnknownTerritoryError, NegativeCountError, DuplicateKeyError
        Naming file and row.
    """
    omitted = Omissions() if omitted is None else omitted
    return pd.concat([_applications(applications, omitted), _solutions(solutions, omitted)], ignore_index=True)


def _applications(path: Path, omitted: Omissions) -> pd.DataFrame:
    columns = ["procedure_type", "app_type", "dec_level", "app_pc"]
    frame = _rows(read_frame(path, "asylum_applications", ["year", "coo_iso", "coa_iso", *columns, "applied"]),
                  "applied", columns, omitted, path)
    known = {"procedure_type": {"G", "J", "U"}, "app_type": NEW | FOLLOWING, "dec_level": FIRST_LEVELS | LATER_LEVELS,
             "app_pc": {"P", "C"}}
    for column, values in known.items():
        odd = ~frame[column].isin(values)
        if odd.any():
            raise SchemaError(path, f"unknown {column} {frame.loc[odd.idxmax(), column]!r}",
                              f"say in the reader whether it is new; known are {', '.join(sorted(values))}",
                              key=f"row {odd.idxmax()}")
    frame = omitted.keep(frame, frame["app_type"].isin(NEW), NOT_NEW)
    first = frame["dec_level"].isin(FIRST_LEVELS)
    any_first = first.groupby([frame["coa_iso"], frame["year"]]).transform("any")
    frame = omitted.keep(frame, first | ~any_first, NOT_NEW)
    cases = frame["app_pc"] == "C"
    american = cases & (frame["coa_iso"] == "USA") & (frame["dec_level"] == "IN")
    factor = frame["year"].map(PERSONS_PER_CASE)
    if factor[american].isna().any():
        row = factor[american].isna().idxmax()
        raise SchemaError(path, f"cases of the USA in {frame.at[row, 'year']}", "give the persons a case of that year "
                          "in unhcr_more.PERSONS_PER_CASE", key=f"row {row}")
    frame = frame.assign(persons=frame["persons"] * factor.where(american, 1.0), cases=cases)
    summed = frame.groupby(["year", "coo_iso", "coa_iso"], as_index=False).agg(persons=("persons", "sum"),
                                                                            cases=("cases", "any"))
    return _pairs("asylum_applications", summed, "coo_iso", "coa_iso",
                  np.where(summed["cases"], "estimated", "reported"), path)


def _solutions(path: Path, omitted: Omissions) -> pd.DataFrame:
    kinds = ["returned_refugees", "resettlement", "naturalisation", "returned_idps"]
    wide = read_frame(path, "solutions", ["year", "coo_iso", "coa_iso", *kinds])
    wide["row"] = wide.index
    frame = wide.melt(["year", "coo_iso", "coa_iso", "row"], kinds, "kind", "persons")
    frame.index = frame.pop("row")
    frame = omitted.keep(frame, frame["kind"].isin(kinds[:2]), NO_MOVE)
    frame = _rows(frame, "persons", ["kind"], omitted, path)
    returned = frame["kind"] == "returned_refugees"
    return pd.concat([_pairs("refugees_returned", frame[returned], "coa_iso", "coo_iso", "reported", path),
                      _pairs("refugees_resettled", frame[~returned], "coo_iso", "coa_iso", "reported", path)],
                     ignore_index=True)


def _rows(frame: pd.DataFrame, number: str, more: list[str], omitted: Omissions, path: Path) -> pd.DataFrame:
    """Rows of the years that are read, between two territories, with a number each."""
    frame = frame.rename(columns={number: "persons"})
    frame = frame.assign(year=whole_numbers(frame["year"], file=path), persons=counts(frame["persons"], file=path))
    refuse_repeats(frame, ["year", "coo_iso", "coa_iso", *more], file=path)
    frame = omitted.keep(frame, frame["persons"].notna(), NO_NUMBER)
    frame = omitted.keep(frame, frame["year"].between(FIRST_YEAR, LAST_YEAR), ANOTHER_YEAR)
    for column in ("coo_iso", "coa_iso"):
        inside = check_codes(frame[column], file=path, outside=frozenset(NOT_TERRITORIES))
        frame = omitted.keep(frame, inside, frame[column].map(NOT_TERRITORIES))
    return omitted.keep(frame, frame["coo_iso"] != frame["coa_iso"], INTERNAL)


def _pairs(variable: str, frame: pd.DataFrame, origin: str, destination: str, status, path: Path) -> pd.DataFrame:
    return validate(pd.DataFrame({
        "source": SOURCE, "variable": variable, "year": frame["year"], "origin": frame[origin].astype(str),
        "destination": frame[destination].astype(str), "value": frame["persons"], "status": status}),
        "pair_year", file=path)
