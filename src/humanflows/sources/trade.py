"""Trade in goods between territories, 1990–2024, in current US$: reported, bridged, back-cast and carried forward.

======================  ================  =====================================================================
years                   status            from
======================  ================  =====================================================================
2000–2020, 2023         reported          BACI (CEPII), thousand US$
2021, 2022              bridged           interpolation of log(value + 1 thousand US$) between 2020 and 2023
2024                    carried_forward   2023
1990–1999               backcast          Correlates of War, million US$, brought to BACI's level
======================  ================  =====================================================================

The 2023 matrix lacks 14 territories that the one to 2020 covers (Cuba, North Korea, Palestine …): their corridors are
carried forward from 2020. Curaçao and Sint Maarten appear in 2023 only; between these two groups nothing is known in
2023 and 2024, and the rule on zeros below takes their 56 corridors for zero. The matrix to 2020 has no row for 21 of
the 231 territories, only zeros for the Faroe Islands, Liechtenstein, Monaco and Puerto Rico, and zeros for Serbia and
Montenegro before 2006, Timor-Leste before 2002 and South Sudan before 2012: missing, not zero.

Zeros: from 2000 on they are not stored; an absent corridor between two territories that `coverage` tells to be covered
in that year is zero. Before 2000 they are stored, because there a corridor between two covered territories may be
unknown: an absent one is missing. `trade_array` applies both rules.
"""
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.io

from .. import paths as folders
from ..errors import NegativeCountError, SchemaError, SourceFileError, UnknownTerritoryError
from ..schema import validate
from ..territories import check_codes, codes
from .cells import AGAIN, numbers, opening, read_texts, refuse_repeats, whole_numbers
from .omissions import ANOTHER_YEAR, FORMER_STATE, NO_NUMBER, Omissions
from .rdata_io import read_rds

SOURCE = "trade"
SILENT = "territory without any trade in the year: not covered"
NOT_STORED = "no trade reported: told by its absence"
FILES = ("DatiProcessati.mat", "trade_cepii.csv", "country_labels.csv", "cow_trade_ddy.rds")
FIRST_YEAR, LAST_YEAR = 1990, 2024
BACI_FIRST, BACI_LAST, BACI_ALONE = 2000, 2020, 2023
OVERLAP = range(2000, 2005)        # years whose ratio of BACI to Correlates of War scales the back-cast
RATIO_LIMITS = (0.2, 5.0)          # a corridor's ratio beyond this is noise of small numbers
ZEROS_STORED_BEFORE = BACI_FIRST   # see the module's docstring
THOUSAND, MILLION = 1e3, 1e6       # US$ per unit of BACI and of Correlates of War
# Correlates of War's numbers where they differ from Gleditsch and Ward's (which country_converter knows), or where the
# country was another one before: None is no territory of ours. Checked against the years each number occurs in.
COW_CODES: dict[int, str | None] = {
    255: "DEU", 260: None, 265: None,      # Germany from 1990; West (two stray pairs in 1990) and East Germany
    315: None, 316: "CZE",                 # Czechoslovakia; Czechia
    345: None, 347: None,                  # Yugoslavia (one state with Montenegro until 2006); Kosovo
    678: None, 679: "YEM", 680: None,      # North Yemen; Yemen from 1990; South Yemen
    816: "VNM", 946: "KIR", 947: "TUV", 955: "TON", 970: "NRU",
}
# A number that named a larger state before this year: the Soviet Union until 1991.
COW_SINCE = {365: 1992}


def read_trade(paths: Iterable[Path], *, omitted: Omissions | None = None) -> pd.DataFrame:
    """Goods exported from origin to destination.

    Parameters
    ----------
    paths : must include the four files of `FILES`, recognised by name; others are passed over.

    Returns
    -------
    DataFrame
        Table ``pair_year``, variable ``trade``, current US$; what an absent corridor means is said above.

    Raises
    ------
    SourceFileError, SchemaError, UnknownTerritoryError, NegativeCountError
        Naming the file, the row and the remedy.
    """
    named = {Path(p).name: Path(p) for p in paths}
    lacking = [f for f in FILES if f not in named]
    if lacking:
        raise SourceFileError(lacking[0], "source file not given", f"read_trade needs {', '.join(FILES)}")
    mat, cepii, labels, cow = (named[f] for f in FILES)
    omitted = Omissions() if omitted is None else omitted
    reported = read_baci(mat, omitted=omitted)
    alone = read_cepii(cepii, labels, omitted=omitted)
    old = read_cow(cow, omitted=omitted)
    parts = [(y, reported[y - BACI_FIRST], "reported") for y in range(BACI_FIRST, BACI_LAST + 1)]
    last = reported[-1]
    gone = np.isnan(alone) & ~np.isnan(last)  # covered in 2020, not in 2023
    for year in range(BACI_LAST + 1, BACI_ALONE):
        parts.append((year, bridge(last, alone, (year - BACI_LAST) / (BACI_ALONE - BACI_LAST)), "bridged"))
    parts += [(BACI_ALONE, alone, "reported"), (LAST_YEAR, alone, "carried_forward")]
    parts += [(year, np.where(gone, last, np.nan), "carried_forward") for year in range(BACI_LAST + 1, LAST_YEAR + 1)]
    for year, layer in zip(range(FIRST_YEAR, BACI_FIRST), backcast(old, reported), strict=True):
        parts.append((year, layer, "backcast"))
    return validate(pd.concat([_tidy(*p) for p in parts], ignore_index=True), "pair_year", file=SOURCE)


def read_baci(path: Path, order: Path | None = None, *, omitted: Omissions | None = None) -> np.ndarray:
    """BACI 2000–2020 as ``[year, origin, destination]`` over all territories, US$; NaN where one is not covered.

    Parameters
    ----------
    path : ``DatiProcessati.mat``.
    order : table with the codes of its rows; by default ``data/baci_order.csv``.
    """
    order = order or folders.DATA / "baci_order.csv"
    rows = pd.read_csv(order, keep_default_na=False)["iso3"]
    check_codes(rows, file=order)
    with opening(path, "a MATLAB file with MatriceEx"):
        # Asked for by name: the file's other variables cannot be listed, only skipped.
        cube = scipy.io.loadmat(path, variable_names=["MatriceEx"])["MatriceEx"]
        if cube.dtype.kind not in "iuf":
            raise TypeError(f"MatriceEx is of {cube.dtype}")
    years = BACI_LAST - BACI_FIRST + 1
    if cube.ndim != 3 or cube.shape[:2] != (len(rows), len(rows)) or cube.shape[2] < years:
        raise SchemaError(path, f"MatriceEx has shape {cube.shape}", f"expected {len(rows)}×{len(rows)}×≥{years}, in "
                          f"the order of {order.name}")
    if omitted is not None:
        omitted.count(ANOTHER_YEAR, (cube.shape[2] - years) * len(rows) ** 2)
    return _place(np.moveaxis(cube[:, :, :years], 2, 0) * THOUSAND, rows, path, omitted, BACI_FIRST)


def read_cepii(path: Path, labels: Path, *, omitted: Omissions | None = None) -> np.ndarray:
    """BACI 2023 as ``[origin, destination]`` over all territories, US$; NaN where one is not covered.

    Parameters
    ----------
    path : ``trade_cepii.csv``, a square of thousand US$, exporter by importer; an empty cell is no trade.
    labels : ``country_labels.csv``, the codes of its rows.
    """
    rows, cells = read_texts(labels, ["iso3"])["iso3"], read_texts(path)
    check_codes(rows, file=labels)
    refuse_repeats(rows.to_frame(), ["iso3"], file=labels)
    if cells.shape != (len(rows), len(rows)):
        raise SchemaError(path, f"matrix of shape {cells.shape} for {len(rows)} labels", "fetch both files again")
    square = np.stack([numbers(cells[c], file=path) for c in cells], axis=1)
    return _place(np.nan_to_num(square)[None] * THOUSAND, rows, path, omitted, BACI_ALONE)[0]


def read_cow(path: Path, *, omitted: Omissions | None = None) -> np.ndarray:
    """Correlates of War dyadic trade, ``[year, origin, destination]`` from 1990 to the end of the overlap, US$.

    ``flow1`` is what ``ccode1`` imported from ``ccode2``; every dyad stands in both directions, so ``flow1`` suffices.
    NaN (-9 in the original) is missing.
    """
    frame = read_rds(path)
    columns = ["ccode1", "ccode2", "year", "flow1"]
    if not isinstance(frame, pd.DataFrame) or frame.empty or not set(columns) <= set(frame.columns):
        raise SchemaError(path, "lacks the columns of dyadic trade", f"expected {columns}")
    omitted = Omissions() if omitted is None else omitted
    years = range(FIRST_YEAR, OVERLAP[-1] + 1)
    frame = frame[columns].reset_index(drop=True)
    frame = frame.assign(year=whole_numbers(frame["year"], file=path), flow1=numbers(frame["flow1"], file=path))
    frame = omitted.keep(frame, frame["year"].between(years[0], years[-1]), ANOTHER_YEAR, persons=None)
    index = {code: i for i, code in enumerate(codes())}
    sides = {side: whole_numbers(frame[side], file=path) for side in ("ccode1", "ccode2")}
    names = cow_codes(pd.unique(pd.concat(sides.values())), file=path)
    known = pd.Series(True, index=frame.index)
    for number in sides.values():
        known &= number.map(lambda n: names[n] is not None) & (frame["year"] >= number.map(COW_SINCE).fillna(0))
    frame = omitted.keep(frame, known, FORMER_STATE, persons=None)
    frame = omitted.keep(frame, frame["flow1"].notna() & (frame["flow1"] != -9), NO_NUMBER, persons=None)
    if (frame["flow1"] < 0).any():
        bad = (frame["flow1"] < 0).idxmax()
        raise NegativeCountError(path, f"negative value {frame.at[bad, 'flow1']}", "fetch the file again",
                                 key=f"row {bad}")
    frame = frame.assign(**{side: number[frame.index].map(names) for side, number in sides.items()})
    refuse_repeats(frame, ["ccode1", "ccode2", "year"], file=path)
    at = {side: frame[side].map(index).to_numpy(dtype=int) for side in sides}
    cube = np.full((len(years), len(index), len(index)), np.nan)
    cube[frame["year"].to_numpy(dtype=int) - FIRST_YEAR, at["ccode2"], at["ccode1"]] = frame["flow1"] * MILLION
    return cube


def cow_codes(numbers: Iterable[int], *, file) -> dict[int, str | None]:
    """Alpha-3 code of each Correlates of War number; None for states that are none of the 231 territories.

    Raises
    ------
    UnknownTerritoryError
        For a number that neither `COW_CODES` nor country_converter knows.
    """
    import country_converter

    table = country_converter.CountryConverter().data
    known = {int(n): c for n, c in zip(table["GWcode"], table["ISO3"]) if n == n} | COW_CODES
    valid = set(codes())
    for n in numbers:
        if n not in known or (known[n] is not None and known[n] not in valid):
            raise UnknownTerritoryError(file, f"unknown country number {n}", "add it to trade.COW_CODES",
                                        key=f"code {n}")
    return {int(n): known[n] for n in numbers}


def bridge(before: np.ndarray, after: np.ndarray, share: float) -> np.ndarray:
    """A matrix ``share`` of the way between two, on the logarithm of value + 1,000 US$, so that zeros may be ends.

    A corridor that is zero at both ends stays zero; one that is NaN at either end is NaN.
    """
    return np.expm1(np.log1p(before / THOUSAND) * (1 - share) + np.log1p(after / THOUSAND) * share) * THOUSAND


def backcast(old: np.ndarray, reported: np.ndarray) -> np.ndarray:
    """Correlates of War 1990–1999 times the ratio of BACI to it over `OVERLAP`.

    The ratio is the corridor's own (sums over the years that both know, clipped to `RATIO_LIMITS`); where one of them
    is zero or unknown, the geometric mean of the origin's and the destination's median ratio; without those, the median
    over all corridors.

    Parameters
    ----------
    old : ``[year from 1990, origin, destination]``, US$, through the overlap; NaN unknown.
    reported : ``[year from 2000, origin, destination]``, US$, NaN not covered.

    Returns
    -------
    ndarray ``[10, origin, destination]``, NaN where Correlates of War does not know or BACI never covers a territory.
    """
    ours = reported[OVERLAP[0] - BACI_FIRST:OVERLAP[-1] - BACI_FIRST + 1]
    theirs = old[OVERLAP[0] - FIRST_YEAR:OVERLAP[-1] - FIRST_YEAR + 1]
    both = ~np.isnan(ours) & ~np.isnan(theirs)
    above, below = np.where(both, ours, 0).sum(0), np.where(both, theirs, 0).sum(0)
    ratio = np.full(above.shape, np.nan)
    usable = (above > 0) & (below > 0)
    ratio[usable] = np.log(np.clip(above[usable] / below[usable], *RATIO_LIMITS))
    overall = np.nanmedian(ratio) if usable.any() else 0.0
    masked = pd.DataFrame(ratio)  # pandas: medians of empty rows are NaN without a warning
    origin = masked.median(axis=1).fillna(overall).to_numpy()
    destination = masked.median(axis=0).fillna(overall).to_numpy()
    ratio = np.where(usable, ratio, (origin[:, None] + destination[None, :]) / 2)
    return old[:BACI_FIRST - FIRST_YEAR] * np.exp(ratio)


def coverage(table: pd.DataFrame) -> pd.DataFrame:
    """Which territories trade is known for, year by year.

    Returns
    -------
    DataFrame
        Columns ``year, territory``, distinct and sorted: the territories with at least one corridor in the table.
    """
    both = pd.concat([table[["year", side]].rename(columns={side: "territory"}) for side in ("origin", "destination")])
    return both.drop_duplicates().sort_values(["year", "territory"], ignore_index=True)


def trade_array(table: pd.DataFrame, territories: Sequence[str], years: Sequence[int]) -> np.ndarray:
    """The table as ``[year, origin, destination]`` in US$ with zeros filled in: NaN is missing, and the diagonal.

    Parameters
    ----------
    table : as of `read_trade`, or rows of it.
    territories, years : of the axes, in this order.
    """
    where = {c: i for i, c in enumerate(territories)}
    when = {y: i for i, y in enumerate(years)}
    known = coverage(table)  # before dropping territories: one may trade with none of those asked for
    cube = np.full((len(when), len(where), len(where)), np.nan)
    covered = np.zeros((len(when), len(where)), dtype=bool)
    known = known[known["year"].isin(when) & known["territory"].isin(where) & (known["year"] >= ZEROS_STORED_BEFORE)]
    covered[known["year"].map(when).to_numpy(dtype=int), known["territory"].map(where).to_numpy(dtype=int)] = True
    cube[covered[:, :, None] & covered[:, None, :]] = 0.0
    rows = table[table["year"].isin(when) & table["origin"].isin(where) & table["destination"].isin(where)]
    cube[rows["year"].map(when).to_numpy(dtype=int), rows["origin"].map(where).to_numpy(dtype=int),
         rows["destination"].map(where).to_numpy(dtype=int)] = rows["value"]
    cube[:, np.arange(len(where)), np.arange(len(where))] = np.nan
    return cube


def _place(cube: np.ndarray, rows: pd.Series, path, omitted: Omissions | None, first_year: int) -> np.ndarray:
    """Spread a cube over all territories; a territory that is zero throughout a year is not covered in it."""
    if not np.isfinite(cube).all():
        y, o, d = np.argwhere(~np.isfinite(cube))[0]
        raise SchemaError(path, f"number that is not finite: {cube[y, o, d]}", AGAIN,
                          key=f"layer {y}, {rows[o]}-{rows[d]}")
    if (cube < 0).any():
        y, o, d = np.argwhere(cube < 0)[0]
        raise NegativeCountError(path, f"negative value {cube[y, o, d]}", "fetch the file again",
                                 key=f"layer {y}, {rows[o]}-{rows[d]}")
    index = {code: i for i, code in enumerate(codes())}
    at = rows.map(index).to_numpy()
    silent = (cube.sum(axis=1) == 0) & (cube.sum(axis=2) == 0)
    unknown = silent[:, :, None] | silent[:, None, :]
    if omitted is not None:
        for year, (missing, layer) in enumerate(zip(unknown, cube), start=first_year):
            omitted.count(SILENT, missing.sum(), year=year)
            omitted.count(NOT_STORED, ((layer == 0) & ~missing).sum(), year=year)
    cube = np.where(unknown, np.nan, cube)
    placed = np.full((len(cube), len(index), len(index)), np.nan)
    placed[:, at[:, None], at[None, :]] = cube
    return placed


def _tidy(year: int, layer: np.ndarray, status: str) -> pd.DataFrame:
    wanted = ~np.isnan(layer) if year < ZEROS_STORED_BEFORE else layer > 0
    np.fill_diagonal(wanted, False)
    origin, destination = np.nonzero(wanted)
    names = np.array(codes(), dtype=object)
    return pd.DataFrame({"source": SOURCE, "variable": "trade", "year": np.int64(year), "origin": names[origin],
                         "destination": names[destination], "value": layer[origin, destination], "status": status})
