"""What tests of the observation model share: runs of plausible sizes, panels with reports of the test's own, and what
each report should say of a run, worked out report by report."""
import numpy as np
import torch
import xarray as xr
from scipy import stats

from humanflows.config import ObservationConfig
from humanflows.model.observation import LASTING, TAIL, ObservationModel
from humanflows.model.recursion import Trajectory
from humanflows.model.spreads import COUNT, estimate_spreads
from humanflows.panel.reporting_systems import CLASSES, DURATIONS

GOOD, POOR = "register_exchange", "register_declared"
TODAY = {"class": POOR, "duration": "12", "log_bias": 0.0, "log_bias_sd": 0.3, "spread": 0.3, "system": 2, "break": 0}
DTYPES = {"log_bias": np.float32, "log_bias_sd": np.float32, "spread": np.float32, "system": np.int16,
          "class": np.int16, "duration": np.int16, "break": np.int8}


def plausible(panel, seed=0) -> Trajectory:
    """A run of flows and stocks of many sizes."""
    years, n = panel.sizes["year"], panel.sizes["origin"]
    draw = np.random.default_rng(seed)
    off = ~np.eye(n, dtype=bool)
    flow = np.exp(draw.normal(6, 2, (n, n)) + draw.normal(0, 0.3, (years, n, n))) * off
    arrivals, departures = (np.exp(draw.normal(6, 2, (years, n, n))) for _ in range(2))
    stock = np.exp(draw.normal(9, 2, (n, n)) + draw.normal(0, 0.2, (years + 1, n, n)))
    return Trajectory(*(torch.as_tensor(x, dtype=torch.float32) for x in (flow, arrivals, departures, stock)))


def leaves(run: Trajectory) -> Trajectory:
    """The same run, to be differentiated by."""
    return Trajectory(*(x.clone().requires_grad_(True) for x in run))


def everything(panel) -> tuple[np.ndarray, np.ndarray]:
    """Masks of all reports and all corridors of a panel."""
    return np.ones(panel.sizes["observation"], bool), ~np.eye(panel.sizes["origin"], dtype=bool)


def made(panel, mask=None, corridors=None, **settings) -> ObservationModel:
    """The observation model of a panel; all reports and corridors by default, with some settings changed."""
    reports, pairs = everything(panel)
    return ObservationModel(panel, reports if mask is None else mask, pairs if corridors is None else corridors,
                            ObservationConfig(**settings))


def term(panel, run, name, mask=None, corridors=None, **settings) -> float:
    """One term of the log posterior, nats."""
    return float(made(panel, mask, corridors, **settings).terms(run)[name].detach())


def with_reports(panel: xr.Dataset, reports, priors: dict | None = None) -> xr.Dataset:
    """The panel with other reports in place of its own.

    Parameters
    ----------
    reports : rows of (series, year, origin, destination, persons), positions; series are
        "source|REPORTER|side|criterion".
    priors : by series, what is not as in ``TODAY``: a value, or one of each year.
    """
    names = list(dict.fromkeys(r[0] for r in reports))
    parts = np.array([name.split("|") for name in names]).reshape(-1, 4)
    years = panel.sizes["year"]
    kept = panel.drop_vars([v for v in panel.variables if str(v).startswith(("witness", "flow_", "report_"))])
    columns = [np.array([r[k] for r in reports], int) for k in (1, 2, 3)]
    out = {f"witness_{k}": ("witness", parts[:, i]) for i, k in enumerate(("source", "reporter", "side", "criterion"))}
    out |= {"witness_flow_type": ("witness", np.array(["movement"] * len(names)))}
    out |= {f"flow_{k}": ("observation", v.astype(np.int16))
            for k, v in zip(("year", "origin", "destination"), columns)}
    out |= {"flow_witness": ("observation", np.array([names.index(r[0]) for r in reports], np.int16)),
            "flow_persons": ("observation", np.array([r[4] for r in reports], float))}
    for name, dtype in DTYPES.items():
        rows = []
        for series in names:
            value = (priors or {}).get(series, {}).get(name, TODAY[name])
            value = [value] * years if np.ndim(value) == 0 else value
            coded = {"class": list(CLASSES), "duration": list(DURATIONS)}.get(name)
            rows.append([coded.index(v) for v in value] if coded else value)
        out[f"report_{name}"] = (("year", "witness"), np.array(rows, dtype).reshape(len(names), years).T)
    return kept.assign(out).assign_coords(witness=[f"{name}|movement" for name in names])


PLATFORM = "meta|META|both|residence"


def published(persons, noise) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of so many persons in a year, where noise is added to each month and nothing is below zero: the mean and variance
    of what is published, from scipy's truncated normal, and by a small difference how the log of the mean follows the
    log of the persons."""
    persons, noise = np.broadcast_arrays(np.asarray(persons, float), np.asarray(noise, float))
    scale = np.where(noise > 0, noise, 1.0)

    def moments(counted):
        month = counted / 12
        above = stats.truncnorm(-month / scale, np.inf, loc=month, scale=scale)
        part = stats.norm.cdf(month / scale)
        mean = part * above.mean()
        return 12 * mean, 12 * (part * (above.var() + above.mean() ** 2) - mean**2)

    mean, variance = moments(persons)
    step = 1e-4
    follows = (np.log(moments(persons * (1 + step))[0]) - np.log(moments(persons * (1 - step))[0])) / (2 * step)
    return np.where(noise > 0, mean, persons), np.where(noise > 0, variance, 0.0), np.where(noise > 0, follows, 1.0)


def beside_a_platform(panel: xr.Dataset, register: str, noise: float, seed=0) -> xr.Dataset:
    """The panel with two series alone: a register that counts a few dozen in every pair and year, and ``PLATFORM``,
    which adds noise to each month of the same and shows what is 50 or more."""
    draw = np.random.default_rng(seed)
    n = panel.sizes["origin"]
    rows = []
    for y in range(panel.sizes["year"]):
        for o, d in np.argwhere(~np.eye(n, dtype=bool)):
            counted = int(np.round(draw.lognormal(3, 0.7)))
            shown = int(np.maximum(counted / 12 + noise * draw.normal(size=12), 0).sum())
            rows += [(register, y, o, d, counted)] + [(PLATFORM, y, o, d, shown)] * (shown >= 50)
    return with_reports(panel, rows)


def seen_by(panel, run: Trajectory) -> np.ndarray:
    """What every observation is about, the slow way, from the definitions."""
    told = []
    for y, o, d, w in zip(*(panel[f"flow_{k}"].values for k in ("year", "origin", "destination", "witness"))):
        side, criterion = (str(panel[f"witness_{k}"].values[w]) for k in ("side", "criterion"))
        if criterion == "residence":
            told.append(float(run.flow[y, o, d]))
        elif side == "emigration":      # "destination" of such a report is where the leavers were born
            told.append(float(run.departures[y, d, o]))
        else:
            told.append(float(run.arrivals[y, o, d]))
    return np.array(told)


def nats_of_reports(panel, run, log_bias=None, lasting=0.0) -> np.ndarray:
    """Negative log density of each report, without the constant of Student's t, one after the other."""
    y, w = (panel[f"flow_{k}"].values.astype(int) for k in ("year", "witness"))
    bias = panel.report_log_bias.values[y, w] if log_bias is None else log_bias
    told = seen_by(panel, run) * np.exp(bias)
    spread = estimate_spreads(panel, everything(panel)[0])[y, w].astype(float)
    counted = np.maximum(np.expm1(np.log1p(told) + lasting), 0)
    scale = np.sqrt((1 - LASTING) * spread**2 + COUNT / (1 + counted))
    return stats.t.logpdf(0, TAIL) - stats.t.logpdf(np.log1p(panel.flow_persons.values), TAIL,
                                                    loc=np.log1p(told) + lasting, scale=scale)
