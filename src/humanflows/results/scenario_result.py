"""What members say under a scenario and without it: levels, differences, and how far either is known.

Members differ together: one that has more people move has more of them move in both runs. So every member is compared
with itself, and the band of a difference is that of the members' differences. A level is known less well than members
agree on it; where calibrated intervals are at hand, their widths are carried to it.
"""
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError

BANDS = {"lower": 0.025, "lower_80": 0.1, "upper_80": 0.9, "upper": 0.975}
YEARS_BEFORE = 6        # that are kept, so that figures show where a scenario sets out
CORRIDORS = 200         # rows of the table of corridors
QUANTITIES = ("inflow", "outflow", "net_migration", "population")
_PAIR, _PLACE = ("year", "origin", "destination"), ("year", "residence")


class Collector:
    """Members' runs, one after the other; what is kept of each is what the results need.

    Parameters
    ----------
    years, places : of the runs: Y calendar years, N codes.
    first : first calendar year that may differ.
    """

    def __init__(self, years: Sequence[int], places: Sequence[str], first: int):
        self.years, self.places = [int(y) for y in years], list(places)
        self.start = max(0, self.years.index(first) - YEARS_BEFORE) if first in self.years else 0
        self.flow, self.other, self.people = [], [], []
        self.stock = [0.0, 0.0]

    def add(self, baseline, scenario) -> None:
        """A member's two runs: anything with ``flow`` [Y, N, N] and ``stock`` [Y + 1, N, N], persons."""
        flow, other = (np.asarray(run.flow, np.float32)[self.start:] for run in (baseline, scenario))
        stocks = [np.asarray(run.stock, np.float64)[self.start:] for run in (baseline, scenario)]
        wanted = (len(self.years) - self.start, len(self.places), len(self.places))
        if flow.shape != wanted or other.shape != wanted:
            raise InputError("scenario", f"runs of {flow.shape} and {other.shape}, not {wanted}", "run both over the "
                             "same years and territories")
        self.flow.append(flow)
        self.other.append(other)
        self.people.append([s.sum(1)[1:] for s in stocks])
        self.stock = [total + s for total, s in zip(self.stock, stocks)]

    def result(self) -> xr.Dataset:
        """Means and bands.

        Returns
        -------
        Dataset, persons. ``flow, flow_baseline, flow_difference`` (year, origin, destination) and the same of
        ``inflow, outflow, net_migration, population`` (year, residence; population on 31 December) are members' means;
        ``stock`` and ``stock_baseline`` (date_year, birthplace, residence), too. With two members or more
        ``…_spread_lower`` to ``…_spread_upper`` are 2.5, 10, 90 and 97.5 per cent quantiles of their levels under the
        scenario, ``…_difference_lower`` to ``…_difference_upper`` of their differences.

        Raises
        ------
        InputError
            Without a member.
        """
        number = len(self.flow)
        if not number:
            raise InputError("scenario", "no member was run", "train one first (humanflows train or ensemble)")
        years = self.years[self.start:]
        dates = [*years, years[-1] + 1]
        axis = dict.fromkeys(("origin", "destination", "residence", "birthplace"), self.places)
        out = xr.Dataset(coords={"year": years, "date_year": dates, **axis},
                         attrs={"members": number, "first_year": self.years[self.start]})
        baseline, scenario = np.stack(self.flow), np.stack(self.other)
        self._describe(out, "flow", _PAIR, baseline, scenario)
        people = np.array(self.people).transpose(1, 0, 2, 3)        # [run, member, year, residence]
        sums = [{"inflow": f.sum(2, dtype=np.float64), "outflow": f.sum(3, dtype=np.float64)}
                for f in (baseline, scenario)]
        for one, population in zip(sums, people):
            one |= {"net_migration": one["inflow"] - one["outflow"], "population": population}
        for name in QUANTITIES:
            self._describe(out, name, _PLACE, sums[0][name], sums[1][name])
        total = [f.sum((2, 3), dtype=np.float64) for f in (baseline, scenario)]
        self._describe(out, "world", ("year",), *total)
        for name, value in zip(("stock_baseline", "stock"), self.stock):
            out[name] = (("date_year", "birthplace", "residence"), (value / number).astype(np.float32))
        for variable in out.data_vars.values():
            variable.attrs["units"] = "persons"
        return out

    @staticmethod
    def _describe(out: xr.Dataset, name: str, dims, baseline: np.ndarray, scenario: np.ndarray) -> None:
        kind = np.float32 if name == "flow" else np.float64
        # A mean of differences and a difference of means are the same number; so readers may subtract.
        means = baseline.mean(0, dtype=np.float64), scenario.mean(0, dtype=np.float64)
        for label, value in (("_baseline", means[0]), ("", means[1]), ("_difference", means[1] - means[0])):
            out[name + label] = (dims, value.astype(kind))
        if len(baseline) > 1:
            for label, values in (("_spread", scenario), ("_difference", scenario - baseline)):
                for end, q in zip(BANDS, np.quantile(values, list(BANDS.values()), axis=0)):
                    out[f"{name}{label}_{end}"] = (dims, q.astype(kind))


def add_intervals(result: xr.Dataset, bounds: xr.Dataset | None,
                  growth: Mapping[int, float] | None = None) -> xr.Dataset:
    """Intervals of levels under a scenario: calibrated widths where there are any, never less than members' spread.

    A flow's calibrated interval, as factors of 1 + the flow up and down, is laid on the level of the same corridor
    and year; a net migration's as persons. Years after the last of the estimates take those of its last year, wider by
    the growth of errors with lead time.

    Parameters
    ----------
    result : from :meth:`Collector.result`.
    bounds : ``flow, flow_lower, flow_upper, flow_lower_80, flow_upper_80`` (year, origin, destination) and the same of
        ``net_migration``; None or without ends where there are none.
    growth : by years after the last of the estimates, how many times as large errors are; 1 where it is silent.

    Returns
    -------
    The result with ``flow_lower`` … and ``net_migration_lower`` …; ``attrs["levels"]`` says which kind they are:
    ``calibrated``, ``spread`` or ``none``.
    """
    out, years = result.copy(), result.year.values
    kind = "none"
    for name, scale, back in (("flow", np.log1p, np.expm1), ("net_migration", np.asarray, np.asarray)):
        ends = {end: result[f"{name}_spread_{end}"].values.astype(np.float64) for end in BANDS
                if f"{name}_spread_{end}" in result}
        level = scale(np.maximum(result[name].values, 0) if name == "flow" else result[name].values).astype(np.float64)
        if ends and kind == "none":
            kind = "spread"
        if bounds is not None and all(f"{name}_{end}" in bounds for end in BANDS):
            kind = "calibrated"
            at = np.clip(years, bounds.year.values[0], bounds.year.values[-1])
            wide = np.array([(growth or {}).get(int(y) - int(bounds.year.values[-1]), 1.0) for y in years])
            wide = wide.reshape(-1, *[1] * (level.ndim - 1))
            middle = scale(bounds[name].sel(year=at).values.astype(np.float64))
            for end in BANDS:
                off = wide * (scale(bounds[f"{name}_{end}"].sel(year=at).values.astype(np.float64)) - middle)
                own = scale(np.maximum(ends[end], 0) if name == "flow" else ends[end]) - level if ends else 0.0
                off = np.minimum(np.minimum(off, own), 0) if "lower" in end else np.maximum(np.maximum(off, own), 0)
                ends[end] = back(level + np.nan_to_num(off))
        for end, value in ends.items():
            if name == "flow":      # who cannot pass does not, however far an estimate may be off
                value = np.where(result["flow"].values > 0, np.maximum(value, 0), 0)
            out[f"{name}_{end}"] = (result[name].dims, value.astype(result[name].dtype), {"units": "persons"})
    out.attrs["levels"] = kind
    return out


def lead_errors(panel: xr.Dataset, flow: np.ndarray, first_blind: int, leads: int = 3) -> pd.DataFrame:
    """Errors of members that saw no migration figure from a year on, by how many years that was ago.

    Parameters
    ----------
    panel : with all reports.
    flow : the members' mean [year, origin, destination].
    first_blind : first calendar year that they did not see.
    leads : years of them.

    Returns
    -------
    DataFrame ``lead`` (0: the last year that they saw), ``rms`` of log(1 + flow) less log(1 + report), ``series``:
    how many series of a witness and corridor; the same ones at every lead.
    """
    year, origin, destination, witness = (panel[f"flow_{k}"].values.astype(np.int64)
                                          for k in ("year", "origin", "destination", "witness"))
    lead = panel.year.values[year] - first_blind + 1
    here = (lead >= 0) & (lead <= leads) & (panel.witness_criterion.values == "residence")[witness]
    error = np.log1p(flow[year, origin, destination]) - np.log1p(panel.flow_persons.values)
    rows = pd.DataFrame({"lead": lead, "error": error, "series": (witness * 1000 + origin) * 1000 + destination})[here]
    wide = rows.pivot_table(index="series", columns="lead", values="error").reindex(columns=range(leads + 1)).dropna()
    return pd.DataFrame({"lead": wide.columns, "rms": np.sqrt((wide**2).mean()).to_numpy(), "series": len(wide)})


def growth_of_errors(errors: pd.DataFrame, leads: int) -> dict[int, float]:
    """How many times as large errors are so many years on: their variance grows evenly, as that of a random walk.

    Parameters
    ----------
    errors : from :func:`lead_errors`.
    leads : the last lead wanted.

    Returns
    -------
    dict: factor of 1 or more by lead; empty where nothing was measured.
    """
    known = errors[errors["rms"] > 0]
    if len(known) < 2:
        return {}
    slope, start = np.polyfit(known["lead"], known["rms"] ** 2, 1)
    start = start if start > 0 else float((known["rms"] ** 2).min())
    return {k: float(np.sqrt(1 + max(slope, 0.0) * k / start)) for k in range(1, leads + 1)}


def territory_table(result: xr.Dataset) -> pd.DataFrame:
    """Rows of territory and year: each of ``QUANTITIES`` under the scenario, without it, and the difference with its
    band where there is one; persons."""
    names = [n for q in QUANTITIES for n in result.data_vars if n in (q, f"{q}_baseline") or
             str(n).startswith(f"{q}_difference") or n in (f"{q}_lower", f"{q}_upper")]
    frame = result[names].to_dataframe().reset_index().rename(columns={"residence": "territory"})
    return frame.sort_values(["territory", "year"], ignore_index=True)


def corridor_table(result: xr.Dataset, number: int = CORRIDORS) -> pd.DataFrame:
    """The corridors that differ most, all years together: ``corridor, origin, destination``, persons under the
    scenario, without it, and the difference; where nothing differs, the largest corridors."""
    total = {k: result[v].sum("year").values.astype(float) for k, v in
             {"persons": "flow", "baseline": "flow_baseline", "difference": "flow_difference"}.items()}
    size = np.abs(total["difference"])
    order = np.argsort(-(size if size.max() > 0 else total["persons"]), axis=None, kind="stable")[:number]
    origin, destination = np.unravel_index(order, size.shape)
    codes = result.origin.values.astype(str)
    frame = pd.DataFrame({"origin": codes[origin], "destination": codes[destination],
                          **{k: v.ravel()[order] for k, v in total.items()}})
    frame.insert(0, "corridor", frame["origin"] + "-" + frame["destination"])
    return frame[frame["persons"] + frame["baseline"] > 0].reset_index(drop=True)


def total_table(result: xr.Dataset) -> pd.DataFrame:
    """All moves of the world by year, under the scenario and without it, with the bands that there are; persons."""
    names = [n for n in result.data_vars if n == "world" or str(n).startswith("world_")]
    return result[names].to_dataframe().reset_index()
