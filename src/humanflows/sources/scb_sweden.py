"""Statistics Sweden: immigration and emigration by country of birth, 2000–2024, from the population register.

A birthplace is not a previous or next residence: it is put where a residence would stand, and ``criterion`` says so.
Both sexes are given apart and summed. Those born in Sweden come back or leave: the margin ``own``.

Emigrants of 2024 are left out: 86,449 after 50,592 in 2022, of almost every birthplace at once, looks like people taken
off the register years after they left. 2023 (73,434) may hold some of them too and is read.

Those born in Hong Kong are zero from 2006 to 2011, between years of ten to forty: they were counted elsewhere, and
these zeros are no counts.
"""
from pathlib import Path

import pandas as pd

from ..errors import SchemaError
from .csv_io import numbers, one_of, read_texts, years
from .omissions import COUNTED_ELSEWHERE, FORMER_STATE, OUTSIDE, Omissions
from .partners import Labels, check_rows, reported_flows

SOURCE = "scb_sweden"
REPORTER = "SWE"
COLUMNS = ("country of birth", "sex", "year", "observations", "Immigrations and emigrations")
SIDES = {"Immigrations": "immigration", "Emigrations": "emigration"}
SEXES = ("men", "women")
CLEANED_FROM = 2024   # emigrants of this year and later were deregistered, whenever they had left
DEREGISTERED = "taken off the register after earlier departures"
ELSEWHERE = {"Hong Kong": range(2006, 2012)}
LABELS = Labels(
    names={"Gaza Strip": "PSE", "Palestinian territory, occupied": "PSE", "Tadzjikistan": "TJK", "Micronesia": "FSM",
           "Moçambique": "MOZ", "Kingdom of the Netherlands": "NLD", "Korea, Republic of Korea": "KOR",
           "Korea, Democratic People´s Republic of": "PRK", "Cote d´Ivoire": "CIV",
           "Lao People´s Democratic Republic": "LAO", "Congo, the Republic of the": "COG"},
    groups={"total": "total", "unknown country of birth": "unknown"},
    left_out={**dict.fromkeys(("Czechoslovakia", "Serbia and Montenegro", "Soviet Union", "Yugoslavia"), FORMER_STATE),
              **dict.fromkeys(("Kosovo", "Vatican City"), OUTSIDE)})


def read_scb_sweden(path: Path, *, omitted: Omissions | None = None) -> dict[str, pd.DataFrame]:
    """Immigrants and emigrants of Sweden by birthplace, both sexes.

    Parameters
    ----------
    path : ``sweden_immigration.csv``.

    Returns
    -------
    Tables ``flow`` (reporter ``SWE``, criterion birthplace, flow_type movement) and ``margin`` (total, unknown, own).

    Raises
    ------
    SourceFileError, SchemaError, YearRangeError, UnknownTerritoryError, NegativeCountError, DuplicateKeyError
        Naming the file and the row.
    """
    omitted = Omissions() if omitted is None else omitted
    raw = read_texts(path, COLUMNS, encoding="latin-1")
    frame = pd.DataFrame({
        "row": raw["row"], "label": raw["country of birth"], "sex": one_of(raw, "sex", SEXES, file=path),
        "reporter": REPORTER, "side": one_of(raw, "observations", SIDES, file=path).map(SIDES),
        "criterion": "birthplace", "year": years(raw, "year", file=path),
        "persons": numbers(raw, COLUMNS[-1], file=path, missing=("..", ""))})
    cleaned = (frame["side"] == "emigration") & (frame["year"] >= CLEANED_FROM)
    frame = omitted.keep(frame, ~cleaned, DEREGISTERED)
    frame = _sum_sexes(frame, path)
    elsewhere = pd.Series(False, index=frame.index)
    for label, span in ELSEWHERE.items():
        elsewhere |= (frame["label"] == label) & frame["year"].isin(span) & (frame["persons"] == 0)
    frame = omitted.keep(frame, ~elsewhere, COUNTED_ELSEWHERE)
    return reported_flows(frame, LABELS, source=SOURCE, file=path, omitted=omitted)


def _sum_sexes(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Both sexes together; unreported where either is."""
    key = ["label", "reporter", "side", "criterion", "year"]
    check_rows(frame, "persons", [*key, "sex"], path)
    alone = frame.groupby(key)["sex"].transform("size") != len(SEXES)
    if alone.any():
        row = frame.loc[alone.idxmax()]
        raise SchemaError(path, f"{row['label']}, {row['side']} {row['year']} is given for one sex alone",
                          f"give one row for each of {', '.join(SEXES)}", key=f"row {row['row']}")
    grouped = frame.groupby(key, sort=False)
    return pd.DataFrame({"row": grouped["row"].first(),
                         "persons": grouped["persons"].sum(min_count=len(SEXES))}).reset_index()
