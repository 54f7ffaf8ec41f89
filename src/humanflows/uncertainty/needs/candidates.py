"""Which reports there could be, and how far from the flows they may lie.

An office reports its arrivals by origin, its departures by destination, or both. What is expected of such a report is
what the observation model expects of it (``model.observation``): log(1 + y) = log(1 + q exp(b)) + u + e, with a bias b
that all reports of an office's side share, a lasting deviation u of the corridor and an error e of each year. The
deviation of b and the spread of u + e are those of the class of its reporting system (``panel.report_priors``): an
office that reports by residence today keeps its own class; one that does not is taken for a typical trusted office.

The update is of variances. The observation model's errors are heavy-tailed, with these deviations for scales: the
variance of Student's t with ν degrees of freedom is ν/(ν − 2) squares of its scale; that of the pseudo-Huber error, a
hyperbolic distribution [1]_, is K₂(2)/K₁(2) of them, with Bessel functions K.

References
----------
.. [1] Barndorff-Nielsen (1977), Exponentially decreasing distributions for the logarithm of particle size, Proceedings
   of the Royal Society A 353, 401–419.
"""
from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.special import kv

from ...errors import SchemaError
from ...model.observation import LASTING, TAIL
from ...model.spreads import COUNT
from ...panel.reporting_systems import add_priors, read_classes
from ...panel.trusted_offices import CRITERION, trusted_reports
from ...panel.withhold import PLATFORMS
from ...results.needs_terms import SIDES

REPORTED_AS = ("immigration", "emigration")     # in the order of SIDES
SEEN = ("A same year", "B other years", "C other corridors", "D nothing")
STUDENT = TAIL / (TAIL - 2)                     # variances over squared scales, of biases and of errors of single years
HUBER = float(kv(2, 2.0) / kv(1, 2.0))          # and of lasting deviations of corridors
_DEFAULT_CLASS, _DEFAULT_DURATION = "register_corrected", "12"


@dataclass(frozen=True)
class OfficeErrors:
    """Errors that reports of each office would have, logs; all (side, territory), sides in the order of ``SIDES``.

    ``bias_sd``: scale of the bias that its reports share. ``spread``: scale of a single report around that. ``own``:
    the office reports this side by residence already, and these are its own class's.
    """

    bias_sd: np.ndarray
    spread: np.ndarray
    own: np.ndarray


def class_errors(name: str, side: str, duration: str = _DEFAULT_DURATION, classes=None) -> tuple[float, float]:
    """Deviation of the bias and spread of a class of reporting systems.

    Parameters
    ----------
    name : of ``panel.reporting_systems.CLASSES``.
    side : of ``SIDES``.
    duration : of ``panel.reporting_systems.DURATIONS``.
    classes : as of ``reporting_systems.read_classes``; default the project's own.

    Raises
    ------
    SchemaError
        For a class, a side or a duration without a prior.
    """
    import pandas as pd

    classes = read_classes() if classes is None else classes
    try:
        found = add_priors(pd.DataFrame([{"duration": duration, "class": name,
                                          "side": dict(zip(SIDES, REPORTED_AS))[side]}]), classes).iloc[0]
    except KeyError as error:
        raise SchemaError("needs", f"no prior of {side} of class {name!r} with stays of {duration!r}",
                          "name a class, a side and a duration of data/reporting_classes.csv", name) from error
    return float(found["log_bias_sd"]), float(found["spread"])


def by_residence(panel: xr.Dataset) -> np.ndarray:
    """Which reported flows are an office's own, by residence: bool (observation,). Platforms are no offices, and
    counts by citizenship or birthplace are of other people."""
    names = [str(w).split("|") for w in panel["witness"].values]
    fits = np.array([n[0] not in PLATFORMS and n[3] == CRITERION and n[2] in REPORTED_AS for n in names], dtype=bool)
    return fits[_at(panel, "witness")] if panel.sizes["observation"] else np.zeros(0, dtype=bool)


def typical_errors(panel: xr.Dataset, trusted: np.ndarray | None = None) -> np.ndarray:
    """Errors of a typical trusted office: medians over its kind's reports in the panel, (side, 2).

    Parameters
    ----------
    panel : with the priors of reports.
    trusted : reports that count, bool (observation,); default ``trusted_offices.trusted_reports``. A side without any
        has the errors of a register of stays of twelve months that strikes off who is found to have left.

    Returns
    -------
    (side, (deviation of the bias, spread)).
    """
    chosen = (trusted_reports(panel) if trusted is None else np.asarray(trusted)) & by_residence(panel)
    bias, spread = _priors(panel)
    side, out = _sides(panel), np.empty((2, 2))
    for s, name in enumerate(SIDES):
        own = chosen & (side == s)
        out[s] = ((np.median(bias[own]), np.median(spread[own])) if own.any()
                  else class_errors(_DEFAULT_CLASS, name))
    return out


def office_errors(panel: xr.Dataset, typical: np.ndarray | None = None) -> OfficeErrors:
    """Errors that reports of every territory's office would have.

    Parameters
    ----------
    panel : with the priors of reports.
    typical : of :func:`typical_errors`, for those that do not report a side.
    """
    codes = panel["origin"].values.astype(str)
    typical = typical_errors(panel) if typical is None else np.asarray(typical, dtype=np.float64)
    bias, spread = (np.repeat(typical[:, k, None], len(codes), 1) for k in range(2))
    own = np.zeros((2, len(codes)), dtype=bool)
    chosen, side, office = by_residence(panel), _sides(panel), _offices(panel)
    of_report = _priors(panel)
    for s in range(2):
        for k in np.unique(office[chosen & (side == s) & (office >= 0)]):
            at = chosen & (side == s) & (office == k)
            bias[s, k], spread[s, k], own[s, k] = (*(np.median(x[at]) for x in of_report), True)
    return OfficeErrors(bias, spread, own)


def bias_variance(bias_sd) -> np.ndarray:
    """Variance of the log of the bias that an office's reports share."""
    return STUDENT * np.asarray(bias_sd) ** 2


def report_variance(spread, years, persons) -> np.ndarray:
    """Variance of the log of a report's mean over years around its biased mean: a corridor's lasting deviation is
    there in every year, its yearly errors and what chance does to counts average out.

    Parameters
    ----------
    spread : scale of a single report's deviation.
    years : how many years are reported; 1 or more.
    persons : a year.
    """
    square = np.asarray(spread) ** 2
    yearly = (1 - LASTING) * square + COUNT / (1 + np.asarray(persons, dtype=np.float64))
    return HUBER * LASTING * square + STUDENT * yearly / np.maximum(years, 1)


def reported(panel: xr.Dataset, visible: np.ndarray | None = None) -> np.ndarray:
    """Which flows the destination's, and the origin's, own office reports by residence: bool (side, year, origin,
    destination).

    Parameters
    ----------
    visible : reports that count, bool (observation,); all by default.
    """
    n, out = panel.sizes["origin"], np.zeros((2, panel.sizes["year"], *[panel.sizes["origin"]] * 2), dtype=bool)
    chosen = by_residence(panel) & (True if visible is None else np.asarray(visible))
    side, office = _sides(panel), _offices(panel)
    at = tuple(_at(panel, k) for k in ("year", "origin", "destination"))
    for s, end in enumerate((at[2], at[1])):
        own = chosen & (side == s) & (office == end)
        out[(s, *(k[own] for k in at))] = True
    out[:, :, np.arange(n), np.arange(n)] = False
    return out


def last_years(told: np.ndarray, number: int) -> np.ndarray:
    """Positions of the last so many years, up to the one that half of the offices still reach.

    Parameters
    ----------
    told : of :func:`reported`.

    Raises
    ------
    SchemaError
        When no office reports, or not so many years lie before.
    """
    speaks = told[0].any(1) | told[1].any(2)                # (year, territory)
    reach = len(speaks) - 1 - speaks[::-1].argmax(0)[speaks.any(0)]
    last = int(np.median(reach)) if len(reach) else -1
    if number < 1 or last + 1 < number:
        raise SchemaError("needs", f"{number} years wanted, offices reach the {last + 1}. year",
                          "ask about fewer years, or of a panel with reports", "years")
    return np.arange(last + 1 - number, last + 1)


def seen_of(told: np.ndarray, year: int) -> np.ndarray:
    """What is reported of every corridor, in the words of ``SEEN``, (origin, destination).

    Parameters
    ----------
    told : of :func:`reported`.
    year : position of the year.
    """
    any_, office = told.any(0), told[0].any((0, 1)) | told[1].any((0, 2))
    classes = np.where(any_[year], 0, np.where(any_.any(0), 1, np.where(office[:, None] | office[None], 2, 3)))
    return np.array(SEEN)[classes]


def _at(panel: xr.Dataset, name: str) -> np.ndarray:
    return panel[f"flow_{name}"].values.astype(np.int64)


def _sides(panel: xr.Dataset) -> np.ndarray:
    """Position of each report's side in ``SIDES``, -1 for another."""
    names = [str(w).split("|")[2] for w in panel["witness"].values]
    of_series = np.array([REPORTED_AS.index(n) if n in REPORTED_AS else -1 for n in names], dtype=np.int64)
    return of_series[_at(panel, "witness")] if panel.sizes["observation"] else np.zeros(0, dtype=np.int64)


def _offices(panel: xr.Dataset) -> np.ndarray:
    """Position of each report's reporter among the territories, -1 for none."""
    names = np.array([str(w).split("|")[1] for w in panel["witness"].values], dtype=str)
    place = panel.get_index("origin").get_indexer(names)
    return place[_at(panel, "witness")] if panel.sizes["observation"] else np.zeros(0, dtype=np.int64)


def _priors(panel: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    at = _at(panel, "year"), _at(panel, "witness")
    return tuple(panel[name].transpose("year", "witness").values[at].astype(np.float64)
                 for name in ("report_log_bias_sd", "report_spread"))
