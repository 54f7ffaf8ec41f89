"""UNHCR Refugee Data Finder: who was displaced from where to where, at year end and during the year."""
from pathlib import Path

import pandas as pd

from ..errors import NegativeCountError
from ..schema import validate
from ..territories import check_codes
from .cells import numbers, refuse_repeats, whole_numbers
from .omissions import ANOTHER_YEAR, INTERNAL, NO_NUMBER, Omissions
from .rdata_io import read_frame

SOURCE = "unhcr"
FIRST_YEAR, LAST_YEAR = 1989, 2024  # the package also holds the first half of 2025
# Origins that are no territory, by group of the margin that keeps them. Unknown and stateless are spelt two ways. To
# UNHCR Tibetans are an origin of their own: its list of countries gives them neither China's code nor any other ISO
# code, and names no country they belong to. Mapping them to China would be our judgement, calling them unknown would be
# false; so they are "others", with the Holy See and Saint Martin (French part).
GROUPS = {"UNK": "unknown", "UKN": "unknown", "XXA": "stateless", "STA": "stateless", "TIB": "others", "VAT": "others",
          "MAF": "others"}
PARTS = ["refugees", "asylum_seekers", "oip"]
NO_ASYLUM = "country of asylum not stated"
NOTHING = "row of other groups: none of those that are read"


def read_unhcr(population: Path, flows: Path, *, omitted: Omissions | None = None) -> dict[str, pd.DataFrame]:
    """Displaced people by territory of origin and of asylum, 1989–2024.

    Parameters
    ----------
    population : ``population.rda``, year-end stocks.
    flows : ``flows.rda``, refugees recognised and asylum applications of the year.
    omitted : collects what is left out.

    Returns
    -------
    dict
        ``pair_year``: ``displaced_stock`` on 31 December of ``year``, ``displaced_flow`` during ``year``. Both sum
        refugees (and people in a refugee-like situation, which the flows count apart), asylum seekers and other people
        in need of international protection; a part that is not given counts as nothing where another is. ``margin``:
        the same quantities by territory of asylum, of origins that are unknown, stateless, or others (Tibetans). Rows
        that sum to nothing, people displaced within their own territory and those whose asylum is not stated are left
        out and counted.

    Raises
    ------
    SourceFileError, UnknownTerritoryError, NegativeCountError, DuplicateKeyError
    """
    omitted = Omissions() if omitted is None else omitted
    read = [_read(population, "population", "displaced_stock", PARTS, omitted),
            _read(flows, "flows", "displaced_flow", [*PARTS, "refugee_like"], omitted)]
    return {table: pd.concat([r[table] for r in read], ignore_index=True) for table in ("pair_year", "margin")}


def world_refugees(population: Path, year: int) -> int:
    """All refugees of the world at the end of a year, unknown origins included."""
    frame = read_frame(population, "population", ["year", "refugees"])
    return int(frame.loc[frame["year"] == year, "refugees"].sum())


def _read(path: Path, name: str, variable: str, parts: list[str], omitted: Omissions) -> dict[str, pd.DataFrame]:
    raw = read_frame(path, name, ["year", "coo_iso", "coa_iso", *parts])
    raw = raw.assign(year=whole_numbers(raw["year"], file=path), **{p: numbers(raw[p], file=path) for p in parts})
    raw = raw.assign(persons=raw[parts].sum(axis=1, min_count=1))
    raw = omitted.keep(raw, raw["year"].between(FIRST_YEAR, LAST_YEAR), ANOTHER_YEAR)
    origin = check_codes(raw["coo_iso"], file=path, outside=frozenset(GROUPS))
    asylum = check_codes(raw["coa_iso"], file=path, outside=frozenset(GROUPS))
    _no_negative(raw, parts, path)
    # Summed in groups, repetitions would go unseen.
    refuse_repeats(raw.rename(columns={"coo_iso": "origin", "coa_iso": "destination"}),
                   ["year", "origin", "destination"], file=path)
    raw = omitted.keep(raw.assign(known=origin), asylum, NO_ASYLUM)
    raw = omitted.keep(raw, raw["coo_iso"] != raw["coa_iso"], INTERNAL)
    raw = omitted.keep(raw, raw["persons"].notna(), NO_NUMBER)
    raw = omitted.keep(raw, raw["persons"] > 0, NOTHING)
    group, raw = raw[~raw["known"]], raw[raw["known"]]
    frame = pd.DataFrame({
        "source": SOURCE, "variable": variable, "year": raw["year"], "origin": raw["coo_iso"].astype(str),
        "destination": raw["coa_iso"].astype(str), "value": raw["persons"], "status": "reported"})
    group = group.assign(group=group["coo_iso"].map(GROUPS).astype(str), territory=group["coa_iso"].astype(str))
    margin = group.groupby(["territory", "group", "year"], as_index=False)["persons"].sum()
    margin = margin.assign(source=SOURCE, quantity=variable, criterion="citizenship",
                           side="residence" if variable == "displaced_stock" else "immigration")
    return {"pair_year": validate(frame, "pair_year", file=path), "margin": validate(margin, "margin", file=path)}


def _no_negative(raw: pd.DataFrame, parts: list[str], path: Path) -> None:
    bad = (raw[parts] < 0).any(axis=1)
    if bad.any():
        row = bad.idxmax()
        raise NegativeCountError(path, "negative count", "fetch the file again; if it is the registered one, mend the "
                                 "reader", key=f"row {row}: {raw.loc[row, ['year', 'coo_iso', 'coa_iso']].to_list()}")
