"""One number, one vote: reports that two collections publish of the same count are recognised and enter once.

A statistical office counts once and is printed often: UN DESA, OECD and Eurostat pass on what it sends them, and each
holds the vintage of its own year. Two reports of the same reporter, side, criterion, corridor and year are the same
publication where they are the same number, to rounding; or where most of what the two collections say of that reporter,
side, criterion and year is the same number, so that the rest are revisions of it. The newer collection is kept.
"""
import numpy as np
import pandas as pd
import xarray as xr

# Newest first. A collection that is not named comes after these, in the order of the alphabet.
NEWEST_FIRST = ("scb_sweden", "statsnz_citizenship", "ons_uk", "uk_nino", "cso_ireland", "eurostat_albania",
                "eurostat_imm1ctz", "eurostat_imm5prv", "eurostat", "oecd", "statsnz", "undesa_imfsc")
CELL = ["reporter", "side", "criterion", "flow_type", "year", "origin", "destination"]
PUBLICATION = ["reporter", "side", "criterion", "year"]
ROUNDING = 0.5       # persons by which the same number may differ
LARGE = 10           # persons: smaller numbers agree by chance
MOST = 0.5           # share of large cells that agree, from which on two publications are the same one
ENOUGH = 3           # large cells, for that share to say anything


def repeated_reports(flow: pd.DataFrame) -> pd.Series:
    """For each report, the row of the report of which it is the same publication in a newer collection.

    Parameters
    ----------
    flow : table ``flow`` of ``schema``; its index is not used.

    Returns
    -------
    Series of int along the rows of ``flow``: position of the row that is kept, −1 for a row that is kept itself. A row
    that is kept is never the repetition of another.

    Examples
    --------
    >>> row = {"reporter": "NZL", "side": "immigration", "criterion": "residence", "flow_type": "movement",
    ...        "year": 2000, "origin": "FJI", "destination": "NZL"}
    >>> flow = pd.DataFrame([{"source": s, **row, "persons": 812.0} for s in ("undesa_imfsc", "statsnz")])
    >>> repeated_reports(flow).tolist()
    [1, -1]
    """
    source, names = pd.factorize(flow["source"])
    persons = flow["persons"].to_numpy(float)
    cell, publication = number_rows(flow[CELL]), number_rows(flow[PUBLICATION])
    rows = [np.flatnonzero(source == k) for k in range(len(names))]
    same = np.full(len(flow), -1)
    for newer, older in _pairs(names):
        mine, other = rows[newer], rows[older][same[rows[older]] < 0]
        _, first, second = np.intersect1d(cell[mine], cell[other], assume_unique=True, return_indices=True)
        mine, other = mine[first], other[second]
        equal = _agree(persons[mine], persons[other])
        repeats = equal | _same_publication(equal, np.maximum(persons[mine], persons[other]), publication[mine])
        # The newer report may itself repeat a still newer one: point to the one that is kept.
        same[other[repeats]] = np.where(same[mine] >= 0, same[mine], mine)[repeats]
    return pd.Series(same, name="same_as")


def summarise_repeated(flow: pd.DataFrame, same_as: pd.Series) -> pd.DataFrame:
    """What enters once, by pair of collections and by series of a reporter.

    Parameters
    ----------
    flow, same_as : a table ``flow`` and what ``repeated_reports`` says of it.

    Returns
    -------
    One row a pair of collections, reporter, side and criterion: ``kept, repeated`` (collections), ``reporter, side,
    criterion, first_year, last_year, cells`` (reports that enter once instead of twice), ``equal`` (how many of them
    are the same number), ``persons`` (of the reports left out).
    """
    flow = flow.reset_index(drop=True)
    rows = np.flatnonzero(same_as.to_numpy() >= 0)
    older, newer = flow.iloc[rows], flow.iloc[same_as.to_numpy()[rows]]
    equal = _agree(older["persons"].to_numpy(), newer["persons"].to_numpy())
    table = older.assign(kept=newer["source"].to_numpy(), equal=equal)
    return table.rename(columns={"source": "repeated"}).groupby(
        ["kept", "repeated", "reporter", "side", "criterion"], as_index=False).agg(
        first_year=("year", "min"), last_year=("year", "max"), cells=("year", "size"), equal=("equal", "sum"),
        persons=("persons", "sum"))


def votes(panel: xr.Dataset) -> np.ndarray:
    """A number for each flow observation of a panel, int64 (observation,): one for all that are one publication."""
    witness = panel["flow_witness"].values.astype(np.int64)
    if "flow_same_as" in panel:
        same = panel["flow_same_as"].values.astype(np.int64)
        witness = np.where(same >= 0, same, witness)
    for name, dim in (("flow_year", "year"), ("flow_origin", "origin"), ("flow_destination", "destination")):
        witness = witness * panel.sizes[dim] + panel[name].values
    return witness


def repeats(panel: xr.Dataset) -> np.ndarray:
    """Which flow observations of a panel repeat one of a newer collection, bool (observation,)."""
    return panel["flow_same_as"].values >= 0 if "flow_same_as" in panel else np.zeros(panel.sizes["observation"], bool)


def _pairs(names) -> list[tuple[int, int]]:
    """Positions of the newer and the older collection of every two, the newest pairs first."""
    rank = {name: k for k, name in enumerate(NEWEST_FIRST)}
    found = sorted(range(len(names)), key=lambda k: (rank.get(names[k], len(rank)), names[k]))
    return [(newer, older) for k, newer in enumerate(found) for older in found[k + 1:]]


def number_rows(columns: pd.DataFrame) -> np.ndarray:
    """A number for each distinct row: one column of integers is joined or sorted ten times faster than six of text."""
    number = np.zeros(len(columns), np.int64)
    for name in columns:
        code, distinct = pd.factorize(columns[name])
        number = number * len(distinct) + code
    return number


def _agree(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.abs(a - b) <= ROUNDING


def _same_publication(equal: np.ndarray, persons: np.ndarray, publication: np.ndarray) -> np.ndarray:
    """Whether most large cells of the publication of each cell are equal; ``persons``: the larger of the two."""
    _, index = np.unique(publication, return_inverse=True)
    large = persons >= LARGE
    number, agree = np.bincount(index, large), np.bincount(index, large & equal)
    return ((number >= ENOUGH) & (agree >= MOST * number))[index]
