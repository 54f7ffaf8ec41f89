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
CELL = ["reporter", "side", "criterion", "year", "origin", "destination"]
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
    >>> row = {"reporter": "NZL", "side": "immigration", "criterion": "residence", "year": 2000, "origin": "FJI",
    ...        "destination": "NZL"}
    >>> flow = pd.DataFrame([{"source": s, **row, "persons": 812.0} for s in ("undesa_imfsc", "statsnz")])
    >>> repeated_reports(flow).tolist()
    [1, -1]
    """
    coded = pd.DataFrame({"source": flow["source"].to_numpy(), "persons": flow["persons"].to_numpy(float),
                          "publication": _numbered(flow[PUBLICATION]), "cell": _numbered(flow[CELL])})
    same = np.full(len(coded), -1)
    for newer, older in _pairs(coded["source"]):
        both = _common(coded, same, newer, older)
        repeats = both["equal"] | _same_publication(both)
        same[both.loc[repeats, "row_older"]] = both.loc[repeats, "row_newer"]
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
    table = older.assign(kept=newer["source"].to_numpy(), equal=_agree(older["persons"], newer["persons"].to_numpy()))
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


def _pairs(source: pd.Series) -> list[tuple[str, str]]:
    """Newer and older collection of every two, the newest pairs first."""
    rank = {name: k for k, name in enumerate(NEWEST_FIRST)}
    found = sorted(source.unique(), key=lambda s: (rank.get(s, len(rank)), s))
    return [(newer, older) for k, newer in enumerate(found) for older in found[k + 1:]]


def _numbered(columns: pd.DataFrame) -> np.ndarray:
    """A number for each distinct row: one column of integers is joined ten times faster than six of text."""
    number = np.zeros(len(columns), np.int64)
    for name in columns:
        code, distinct = pd.factorize(columns[name])
        number = number * len(distinct) + code
    return number


def _common(coded: pd.DataFrame, same: np.ndarray, newer: str, older: str) -> pd.DataFrame:
    """Cells of both collections, but for those of the older one that repeat a third."""
    mine, other = coded["source"].to_numpy() == newer, (coded["source"].to_numpy() == older) & (same < 0)
    parts = [coded[rows].reset_index(names="row") for rows in (mine, other)]
    both = parts[0].merge(parts[1].drop(columns=["publication", "source"]), on="cell", suffixes=("_newer", "_older"))
    # The newer report may itself repeat a still newer one: point to the one that is kept.
    kept = same[both["row_newer"]]
    return both.assign(row_newer=np.where(kept >= 0, kept, both["row_newer"]),
                       equal=_agree(both["persons_newer"], both["persons_older"]))


def _agree(a, b):
    return (a - b).abs() <= ROUNDING


def _same_publication(both: pd.DataFrame) -> pd.Series:
    large = both[["persons_newer", "persons_older"]].max(axis=1) >= LARGE
    number = large.groupby(both["publication"]).transform("sum")
    agree = (large & both["equal"]).groupby(both["publication"]).transform("sum")
    return (number >= ENOUGH) & (agree >= MOST * number)
