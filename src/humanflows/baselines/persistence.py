"""What anyone can say without a model: the same as last time, the mean of other times, the mean of the neighbourhood.

They know different things. Persistence looks up earlier reports of the very corridor that is scored, by the very office
that is scored, so on held-out corridors it has information that nothing fitted to the training corridors has: it is the
mark for change over time, not for unseen corridors. The mean of a corridor also looks at later reports: it is no
forecast, and says how much of a score is due to differences between corridors that never change. The region mean sees
training corridors only.
"""
import numpy as np
import pandas as pd
import xarray as xr

from ..errors import SchemaError
from ..panel.splits import training_observations
from ..territories import check_codes, region_of


def predict_persistence(panel: xr.Dataset, *, horizon: str = "annual", seen: np.ndarray | None = None) -> xr.DataArray:
    """Most recent report of the same corridor by the same witness before the year, or before the five-year period.

    Parameters
    ----------
    panel : with the flow witnesses along ``observation``.
    horizon : ``"annual"``: the latest report from before the observation's year, however old. ``"five_year"``: the
        latest from before the first year of its calendar period (1990–94, …), the same for all five years, so that
        their sum uses nothing from inside the period.
    seen : bool array (observation,), the reports that may be looked up; all by default. Where the last years are blind,
        every one of them has the last report from before them.

    Returns
    -------
    DataArray (observation,), persons, aligned with the panel's observations; NaN where nothing was reported before.
    Attribute ``horizon`` says at which horizon it may be scored.

    Raises
    ------
    SchemaError
        For another horizon, or where one witness reports a corridor twice in a year.
    """
    keys, reports = _reports(panel, horizon, "persistence")
    wanted = reports.assign(position=np.arange(len(reports)),
                            year=reports["year"] if horizon == "annual" else reports["year"] // 5 * 5)
    known = reports if seen is None else reports[np.asarray(seen, dtype=bool)]
    latest = pd.merge_asof(wanted.drop(columns="persons").sort_values("year", kind="stable"),
                           known.sort_values("year", kind="stable"), on="year", by=keys, allow_exact_matches=False)
    values = np.full(len(reports), np.nan)
    values[latest["position"]] = latest["persons"]
    return xr.DataArray(values, dims="observation", name="persistence", attrs={
        "units": "persons", "long_name": "most recent earlier report of the corridor by the same witness",
        "horizon": horizon,
        "learned_from": "earlier reports of the same held-out corridor by the same office"})


def predict_corridor_mean(panel: xr.Dataset, *, horizon: str = "annual") -> xr.DataArray:
    """Mean of what the same witness reports about the same corridor in other years, earlier and later.

    Parameters
    ----------
    panel : with the flow witnesses along ``observation``.
    horizon : ``"annual"``: all years but the observation's own. ``"five_year"``: all years but those of the calendar
        period (1990–94, …) and the one that follows it, so that neither the period's sum nor that of mid-year to
        mid-year uses anything from inside; the same for all five years.

    Returns
    -------
    DataArray (observation,), persons, aligned with the panel's observations; NaN where there is no other report.
    Attribute ``horizon`` says at which horizon it may be scored.

    Raises
    ------
    SchemaError
        For another horizon, or where one witness reports a corridor twice in a year.
    """
    keys, reports = _reports(panel, horizon, "mean of corridor")
    if horizon == "annual":
        start = end = reports["year"]
    else:
        start = reports["year"] // 5 * 5
        end = start + 5
    corridor = reports.groupby(keys).ngroup().to_numpy()
    first, years = int(panel["year"].values[0]) - 5, panel.sizes["year"] + 11      # room for what is not in the panel
    totals = []
    for weight in (reports["persons"].to_numpy(), np.ones(len(reports))):
        # Running sums along each corridor's years: what lies in an interval is the difference of two of them.
        running = np.bincount(corridor * years + reports["year"].to_numpy() - first, weight,
                              (corridor.max(initial=-1) + 1) * years).reshape(-1, years).cumsum(1)
        inside = running[corridor, end - first] - running[corridor, start - first - 1]
        totals.append(running[corridor, -1] - inside)
    persons, number = totals
    values = np.divide(np.maximum(persons, 0.0), number, out=np.full(len(reports), np.nan), where=number > 0.5)
    return xr.DataArray(values, dims="observation", name="corridor_mean", attrs={
        "units": "persons", "long_name": "mean of the corridor's reports in other years by the same witness",
        "horizon": horizon,
        "learned_from": "earlier and later reports of the same held-out corridor by the same office"})


def _reports(panel: xr.Dataset, horizon: str, what: str) -> tuple[list[str], pd.DataFrame]:
    """Keys of a witness's corridor, and one row per observation with them, year and persons."""
    if horizon not in ("annual", "five_year"):
        raise SchemaError(what, f"unknown horizon {horizon!r}", "use 'annual' or 'five_year'", "horizon")
    keys = ["witness", "origin", "destination"]
    reports = pd.DataFrame({k: panel[f"flow_{k}"].values.astype(np.int64) for k in keys})
    reports["year"] = panel["year"].values[panel["flow_year"].values].astype(np.int64)
    reports["persons"] = panel["flow_persons"].values
    twice = reports.duplicated([*keys, "year"])
    if twice.any():
        raise SchemaError(what, "a witness reports a corridor twice in one year", "mend the panel",
                          key=f"observation {int(twice.idxmax())}")
    return keys, reports


def predict_region_mean(panel: xr.Dataset, splits: xr.Dataset, *, criterion: str = "residence") -> xr.DataArray:
    """Mean reported flow, in the same year, of the training corridors between the same two regions.

    Where a pair of regions has no report in a year, its mean over all years; where it never has one, the mean of all.

    Parameters
    ----------
    panel, splits : of the same territories.
    criterion : of the witnesses that are averaged.

    Returns
    -------
    DataArray (year, origin, destination), persons, zero on the diagonal.

    Raises
    ------
    SchemaError
        When no training corridor has a report by this criterion.
    UnknownTerritoryError
        For a territory of the panel that has no region.
    """
    kinds = np.array([str(w).split("|")[3] for w in panel["witness"].values], dtype=str)
    used = training_observations(panel, splits) & (kinds == criterion)[panel["flow_witness"].values]
    if not used.any():
        raise SchemaError("region mean", f"no training corridor has a report by {criterion}",
                          "use a criterion that the panel has", criterion)
    codes = panel["origin"].values.astype(str)
    check_codes(pd.Series(codes), file="panel")
    names, region = np.unique(region_of().reindex(codes).to_numpy(dtype=str), return_inverse=True)
    persons = panel["flow_persons"].values[used].astype(np.float64)
    o, d = (region[panel[f"flow_{k}"].values[used]] for k in ("origin", "destination"))
    y = panel["flow_year"].values[used].astype(np.int64)
    k, years = len(names), panel.sizes["year"]
    pair = o * k + d
    annual = _mean(y * k * k + pair, persons, years * k * k).reshape(years, k * k)
    ever = _mean(pair, persons, k * k)
    ever = np.where(np.isnan(ever), persons.mean(), ever)
    table = np.where(np.isnan(annual), ever[None], annual).reshape(years, k, k)
    values = table[:, region[:, None], region[None, :]]
    values[:, np.eye(len(codes), dtype=bool)] = 0.0
    return xr.DataArray(values, dims=("year", "origin", "destination"), name="region_mean",
                        coords={"year": panel["year"].values, "origin": codes, "destination": codes},
                        attrs={"units": "persons", "long_name": "mean of the training corridors of the region pair",
                               "learned_from": "the training corridors of the same collections"})


def _mean(group: np.ndarray, values: np.ndarray, groups: int) -> np.ndarray:
    """Mean of each group; NaN for empty ones."""
    number = np.bincount(group, minlength=groups)
    with np.errstate(invalid="ignore"):
        return np.bincount(group, values, groups) / np.where(number, number, np.nan)
