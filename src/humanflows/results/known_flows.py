"""Well-known flows: the published figures of ``data/known_flows.csv`` beside our estimates, the reference's and Meta's.

A figure that only bounds the flow is held against it from one side: where it is a lower bound, an estimate that is
larger is no error. The log ratio of a figure is ln((estimate + 1/2) / (figure + 1/2)): half a person is the least that
a release stores.
"""
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError, SchemaError

FILE = "known_flows.csv"        # of the release
IN_PANEL = "equal to panel "    # begins what the list says of figures that the panel holds, too
FACTOR = 1.5                    # estimates within it of the figure count as right
KEYS = ["origin", "destination", "year"]
GIVEN = [*KEYS, "persons", "kind", "bound"]                 # taken over from the list of figures
COMPARED = [*GIVEN, "in_panel", "flow", "flow_lower", "flow_upper", "gaskin_abel", "meta", "log_ratio", "inside",
            "within", "log_ratio_gaskin_abel", "within_gaskin_abel", "nearer"]
SUMMARY = ["group", "figures", "within", "figures_gaskin_abel", "within_gaskin_abel", "intervals", "inside", "decided",
           "ahead", "median_log_ratio", "mean_abs_log_ratio"]
OURS, THEIRS, SAME = "ours", "theirs", "same"
META = "meta|META|both|residence|transition"
_YES_OR_NO = ("in_panel", "inside", "within", "within_gaskin_abel")
_ENDS = ["flow_lower", "flow_upper"]


def compare_known(known: pd.DataFrame, estimates, reference: xr.DataArray | None = None,
                  meta: xr.DataArray | None = None) -> pd.DataFrame:
    """Every published figure beside what is estimated of its corridor and year.

    Parameters
    ----------
    known : as of `humanflows.panel.known_flows.read_known_flows`.
    estimates : of a release, as of `humanflows.dataset.open_estimates`; asked for ``flow(origin, destination, year)``.
    reference : the published flows of Gaskin & Abel [year, origin, destination], persons, as
        `humanflows.results.peers.reference_flows` gives them; None where their files are not at hand.
    meta : Meta's flows [year, origin, destination], persons, as `meta_flows` gives them; None without a panel.

    Returns
    -------
    One row a figure, columns ``COMPARED``: whether the figure is in the panel, so that estimates may have been learned
    from it (``in_panel``); persons in ``flow`` and the ends of its 95% interval (NaN in a release
    without intervals), ``gaskin_abel`` and ``meta`` (NaN where they say nothing), ``log_ratio`` of the estimate to the
    figure, ``inside`` and ``within`` as `agrees_inside` and `agrees_within` say (True, False, or None where there is
    nothing to compare), the same for the reference, and ``nearer``: whose estimate is nearer to the figure, ``ours``,
    ``theirs`` or ``same``, None without a reference.

    Raises
    ------
    SchemaError
        For a list without the columns ``GIVEN`` and ``checked``.
    InputError
        For estimates of a simulated world.
    UnknownTerritoryError, YearRangeError
        When the estimates do not cover a corridor or year.
    """
    if absent := [c for c in (*GIVEN, "checked") if c not in known]:
        raise SchemaError("known flows", f"lacks the columns {absent}", "give what read_known_flows returns",
                          key=absent[0])
    if estimates.simulated:
        raise InputError("known flows", "the estimates are of the simulated world", "open a release of the real one")
    rows = [estimates.flow(o, d, int(y)).iloc[0] for o, d, y in known[KEYS].itertuples(index=False)]
    table = known[GIVEN].reset_index(drop=True)
    table["in_panel"] = known["checked"].str.startswith(IN_PANEL).to_numpy()
    for column in ("flow", *_ENDS):
        table[column] = np.array([float(row.get(column, np.nan)) for row in rows], dtype=float)
    table["gaskin_abel"], table["meta"] = _at(reference, table), _at(meta, table)
    table["log_ratio"] = log_ratio(table["flow"], table["persons"])
    table["inside"] = agrees_inside(table)
    table["within"] = agrees_within(table["log_ratio"], table["bound"])
    table["log_ratio_gaskin_abel"] = log_ratio(table["gaskin_abel"], table["persons"])
    table["within_gaskin_abel"] = agrees_within(table["log_ratio_gaskin_abel"], table["bound"])
    own, other = (distance(table[c], table["bound"]) for c in ("log_ratio", "log_ratio_gaskin_abel"))
    nearer = np.select([other.isna() | own.isna(), own < other, other < own], [None, OURS, THEIRS], default=SAME)
    table["nearer"] = pd.Series(nearer, dtype=object)
    return table[COMPARED]


def log_ratio(estimate: pd.Series, persons: pd.Series) -> pd.Series:
    """Natural log of estimate over figure, half a person added to both; NaN without an estimate."""
    return np.log((estimate.astype(float) + 0.5) / (persons.astype(float) + 0.5))


def distance(ratio: pd.Series, bound: pd.Series) -> pd.Series:
    """How far a log ratio is from what the figure allows: its size, or what it lies beyond the bound."""
    return ratio.abs().mask(bound == "lower", (-ratio).clip(lower=0)).mask(bound == "upper", ratio.clip(lower=0))


def agrees_within(ratio: pd.Series, bound: pd.Series) -> pd.Series:
    """Whether an estimate is within ``FACTOR`` of the figure, at or above 1 / ``FACTOR`` of a lower bound, at or below
    ``FACTOR`` of an upper one; None without an estimate."""
    near = distance(ratio, bound) <= np.log(FACTOR)
    return near.astype(object).mask(ratio.isna(), None)


def agrees_inside(table: pd.DataFrame) -> pd.Series:
    """Whether the 95% interval holds the figure, reaches up to a lower bound, or down to an upper one; None without."""
    below = (table["flow_lower"] <= table["persons"]) | (table["bound"] == "lower")
    above = (table["persons"] <= table["flow_upper"]) | (table["bound"] == "upper")
    return (below & above).astype(object).mask(table[_ENDS].isna().any(axis=1), None)


def summarise_known(table: pd.DataFrame) -> pd.DataFrame:
    """How many figures are met: all, by what they say of the flow, by whether the panel holds them, and by kind.

    Parameters
    ----------
    table : as of `compare_known`, or read by `read_compared`.

    Returns
    -------
    Columns ``SUMMARY``, one row a group. ``within`` (of ``figures``), ``within_gaskin_abel`` (of
    ``figures_gaskin_abel``: figures of which the reference says something) and ``inside`` (of ``intervals``) are
    shares; ``ahead`` is the share where we are nearer than the reference, of the ``decided``, in which one of both is;
    NaN where there are none. The last two, of the logarithm, leave bounds out.
    """
    groups = {"all": table, "as large as the flow": table[table["bound"] == "none"],
              "bounds": table[table["bound"] != "none"],
              "in the panel": table[table["in_panel"].astype(bool)],
              "not in the panel": table[~table["in_panel"].astype(bool)],
              **{str(kind): rows for kind, rows in table.groupby("kind", sort=False)}}
    return pd.DataFrame([{"group": name, **_shares(rows)} for name, rows in groups.items()])[SUMMARY]


def meta_flows(panel: xr.Dataset) -> xr.DataArray:
    """Meta's flows in a panel, persons [year, origin, destination]; NaN where it says nothing, which means few."""
    shape = [panel.sizes[k] for k in ("year", "origin", "destination")]
    values = np.full(shape, np.nan)
    if META in panel.get_index("witness"):
        mine = panel["flow_witness"].values == panel.get_index("witness").get_loc(META)
        where = tuple(panel[f"flow_{k}"].values[mine] for k in ("year", "origin", "destination"))
        values[where] = panel["flow_persons"].values[mine]
    return xr.DataArray(values, dims=("year", "origin", "destination"), name="flow",
                        coords={k: panel[k].values for k in ("year", "origin", "destination")},
                        attrs={"units": "persons"})


def read_compared(file: Path) -> pd.DataFrame:
    """The table of `compare_known` from a release.

    Raises
    ------
    SchemaError
        When it is no such table.
    """
    remedy = "run scripts/compare_known.py again"
    try:
        table = pd.read_csv(file, keep_default_na=False, na_values=[""])
    except (ValueError, UnicodeDecodeError) as error:       # pandas' parser errors are ValueErrors
        raise SchemaError(file, f"not readable as a table ({type(error).__name__})", remedy) from error
    if absent := [c for c in COMPARED if c not in table]:
        raise SchemaError(file, f"lacks the columns {absent}", remedy, key=absent[0])
    for column in _YES_OR_NO:
        words = table[column].astype(str).map({"True": True, "False": False, "nan": None}.get).astype(object)
        unknown = words.isna() & table[column].notna()
        if unknown.any():
            raise SchemaError(file, f"{column} is {table.loc[unknown.idxmax(), column]!r}", remedy,
                              key=f"row {unknown.idxmax()}")
        table[column] = words.where(words.notna(), None)
    return table.assign(nearer=table["nearer"].astype(object).where(table["nearer"].notna(), None))


def _at(flow: xr.DataArray | None, table: pd.DataFrame) -> np.ndarray:
    """Values of an array of flows at the corridors and years of a table; NaN outside of it."""
    out = np.full(len(table), np.nan)
    if flow is None:
        return out
    at = [flow.get_index(k).get_indexer(table[k].to_numpy()) for k in ("year", "origin", "destination")]
    inside = np.all([a >= 0 for a in at], axis=0)
    out[inside] = flow.transpose("year", "origin", "destination").values[tuple(a[inside] for a in at)]
    return out


def _shares(rows: pd.DataFrame) -> dict[str, float]:
    plain = rows.loc[rows["bound"] == "none", "log_ratio"]
    decided = rows["nearer"].isin([OURS, THEIRS])
    return {"figures": len(rows), "within": _share(rows["within"]),
            "figures_gaskin_abel": int(rows["within_gaskin_abel"].notna().sum()),
            "within_gaskin_abel": _share(rows["within_gaskin_abel"]),
            "intervals": int(rows["inside"].notna().sum()), "inside": _share(rows["inside"]),
            "decided": int(decided.sum()), "ahead": _share(rows.loc[decided, "nearer"] == OURS),
            "median_log_ratio": plain.median(), "mean_abs_log_ratio": plain.abs().mean()}


def _share(yes: pd.Series) -> float:
    known = yes.dropna()
    return float(known.astype(bool).mean()) if len(known) else np.nan
