"""Central Statistics Office of Ireland, estimated migration by country of origin and destination, 1987–2023.

The office's year ends in April. The year to April 2023 has eight months of 2022 and four of 2023: it is read as 2022,
the calendar year that holds most of it. UN DESA's sheet of Ireland by residence has the same numbers of the United
Kingdom and the United States to 2005, under the office's own year: one later than here.

Four countries are given apart (Canada and Australia from the year to April 2008; until then they are among the others).
Two groups of European states and the other countries are together the margin ``others``. Numbers are in thousands with
one decimal, estimated from a survey and from registers, and both sexes together are read.
"""
from pathlib import Path

import pandas as pd

from ..errors import SchemaError
from .csv_io import numbers, one_of, read_texts, years
from .omissions import BALANCE, PART, Omissions
from .partners import Labels, reported_flows

SOURCE = "cso_ireland"
REPORTER = "IRL"
COLUMNS = ("Year", "Country", "Sex", "Origin or Destination", "UNIT", "VALUE")
SIDES = {"Immigrants: All origins": "immigration", "Emigrants: All destinations": "emigration"}
NET = "Net migration"
SEXES = ("Both sexes", "Male", "Female")
UNIT, PERSONS = "Thousand", 1000.0
YEARS_BACK = 1   # from the year in which the office's year ends to the one that holds most of it
LABELS = Labels(
    groups={"All countries": "total", **dict.fromkeys((
        "Other countries", "EU14 excl Irl (UK & Ireland)", "EU15 to EU27 (accession countries joined post 2004)"),
        "others")})


def read_cso_ireland(path: Path, *, omitted: Omissions | None = None) -> dict[str, pd.DataFrame]:
    """Immigrants and emigrants of Ireland by country of previous and next residence, both sexes.

    Parameters
    ----------
    path : ``CSO_PEA18_Migration_Sex_Country.csv``.

    Returns
    -------
    Tables ``flow`` (reporter ``IRL``, criterion residence, flow_type movement) and ``margin`` (total, others); ``year``
    is the calendar year before the one in whose April the office's year ends.

    Raises
    ------
    SourceFileError, SchemaError, YearRangeError, UnknownTerritoryError, NegativeCountError, DuplicateKeyError
        Naming the file and the row.
    """
    omitted = Omissions() if omitted is None else omitted
    raw = read_texts(path, COLUMNS, encoding="utf-8-sig")
    one_of(raw, "UNIT", [UNIT], file=path)
    frame = pd.DataFrame({
        "row": raw["row"], "label": raw["Country"].str.replace(r"\s*\([0-9]+\)$", "", regex=True),   # a footnote
        "sex": one_of(raw, "Sex", SEXES, file=path), "reporter": REPORTER, "criterion": "residence",
        "side": one_of(raw, "Origin or Destination", [*SIDES, NET], file=path).map(SIDES),
        "year": years(raw, "Year", file=path) - YEARS_BACK,
        "persons": numbers(raw, "VALUE", file=path, missing=("", "..")) * PERSONS})
    # To whole persons: 21.8 thousand are 21,800, not 21,800.000000000004; but what is below zero stays so, to be told.
    frame["persons"] = frame["persons"].where(frame["persons"] < 0, frame["persons"].round())
    if not (frame["sex"] == SEXES[0]).any():
        raise SchemaError(path, f"no row of {SEXES[0]!r}", f"expected one of {', '.join(SEXES)} in column 'Sex'")
    # A balance of persons is no number of persons: its rows are counted without.
    frame = omitted.keep(frame, frame["side"].notna(), BALANCE, persons=None)
    frame = omitted.keep(frame, frame["sex"] == SEXES[0], PART)
    return reported_flows(frame.drop(columns="sex"), LABELS, source=SOURCE, file=path, omitted=omitted)
