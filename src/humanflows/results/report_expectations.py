"""What a member expects of reports of a flow, and the log score of reports that it did not learn from.

A report is expected to be the flow times the bias of its series (one source, reporter, side and criterion) in its year,
with the spread of that series and year around it. Both are learned from the reports that a member was shown; of
corridors held out from it they say how the same office would have counted there. What is kept of them is a table by
year and series, without a number (NaN) where no report of the series and year was learned from: there a report can be
held against no expectation, and has no log score.
"""
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from ..artifacts import require, write_netcdf
from ..errors import ArtifactError, SchemaError
from ..model.spreads import COUNT
from .scores import log_score

FILE = "report_expectations.nc"      # beside the estimates that they belong to
LOG_BIAS, SPREAD, NOISE = NAMES = ("report_log_bias", "report_spread", "report_noise")
COLUMNS = ("log_score", "log_score_n")       # at the end of a table of scores
CRITERION, HORIZON = "residence", "annual"   # of the reports that are about one flow, in one year
_ABOUT = {LOG_BIAS: "expected log of reported over true moves",
          SPREAD: "standard deviation of the log of reports around what is expected, but for the chance of small "
          "numbers",
          NOISE: "standard deviation of what the source adds to each month's count"}
_UNITS = {LOG_BIAS: "1", SPREAD: "1", NOISE: "persons"}


def lay_out_expectations(log_bias, series, year, spread, years: Sequence[int], names: Sequence[str],
                         noise=0.0) -> xr.Dataset:
    """Bias, spread and noise of each series and year as a table.

    Parameters
    ----------
    log_bias : array (cell,), expected log of reported over true moves, a cell for each series and year learned from.
    series, year : arrays (cell,), positions of the cells in ``names`` and ``years``.
    spread : array (year, series), standard deviation of log reports; read at the cells alone.
    years : calendar years.
    names : of the series, as in the panel's ``witness``.
    noise : array (series,) or 0, standard deviation of what a source adds to each month's count, persons
        (``model.privacy_noise``).

    Returns
    -------
    Dataset with ``report_log_bias`` and ``report_spread``, natural logarithms, and ``report_noise``, persons; float32
    (year, witness), NaN where nothing was learned.

    Raises
    ------
    SchemaError
        For a bias that is not finite, a spread that is not finite and above zero, or a noise that is not finite or
        below zero, naming series and year.
    """
    w, y = (np.asarray(k, dtype=np.int64) for k in (series, year))
    shape = (len(years), len(names))
    table = {name: np.full(shape, np.nan, dtype=np.float32) for name in NAMES}
    table[LOG_BIAS][y, w], table[SPREAD][y, w] = np.asarray(log_bias), np.asarray(spread)[y, w]
    table[NOISE][y, w] = np.broadcast_to(np.asarray(noise, dtype=np.float32), len(names))[w]
    for name, sound in ((LOG_BIAS, np.isfinite), (SPREAD, lambda x: np.isfinite(x) & (x > 0)),
                        (NOISE, lambda x: np.isfinite(x) & (x >= 0))):
        if not (good := sound(table[name][y, w])).all():
            k = int(np.flatnonzero(~good)[0])
            raise SchemaError("reports", f"{name} is {table[name][y[k], w[k]]}", "look at the reports of this series "
                              "and year and at their row in data/reporting_systems.csv; train again",
                              key=f"{names[w[k]]}, {years[y[k]]}")
    return xr.Dataset({name: (("year", "witness"), values, {"units": _UNITS[name], "long_name": _ABOUT[name]})
                       for name, values in table.items()},
                      coords={"year": [int(y) for y in years], "witness": [str(n) for n in names]})


def expectations_of(observation, years: Sequence[int]) -> xr.Dataset:
    """Bias, spread and noise of each series and year that a trained observation model learned from.

    Parameters
    ----------
    observation : ``model.observation.ObservationModel``, on any device.
    years : calendar years of its panel.

    Returns
    -------
    Dataset (year, witness), as of :func:`lay_out_expectations`.
    """
    log_bias, series, year, spread, noise = (x.detach().cpu().numpy() for x in (
        observation.log_bias, observation.bias_witness, observation.bias_year, observation.series_spread,
        observation.series_noise))
    return lay_out_expectations(log_bias, series, year, spread, years, observation.labels, noise)


def expectations_path(estimates: Path) -> Path:
    """Where the expectations lie that belong to a file of estimates."""
    return Path(estimates).with_name(FILE)


def write_expectations(expected: xr.Dataset, file: Path) -> Path:
    """Write the table of :func:`lay_out_expectations` as NetCDF."""
    return write_netcdf(expected, file)


def open_expectations(file: Path, made_by: str) -> xr.Dataset:
    """Read what :func:`write_expectations` wrote.

    Parameters
    ----------
    file : NetCDF.
    made_by : the command that makes it, for errors.

    Returns
    -------
    Dataset in memory, as :func:`lay_out_expectations` gives it.

    Raises
    ------
    ArtifactError
        When the file is missing, not readable, or lacks a variable; when a bias has no spread above zero, or no noise
        of zero or more, beside it.
    """
    require(file, made_by)
    again = f"delete it and run {made_by} again"
    try:
        with xr.open_dataset(file, engine="netcdf4") as opened:
            expected = opened.load()
    except Exception as error:  # the library raises many kinds on a damaged file
        raise ArtifactError(file, f"not readable as NetCDF ({type(error).__name__}: {error})", again) from error
    for name in NAMES:
        if name not in expected or expected[name].dims != ("year", "witness"):
            found = expected[name].dims if name in expected else "nothing"
            raise ArtifactError(file, f"{name} should have dims ('year', 'witness'), found {found}", again, key=name)
    bias, spread, noise = (expected[name].values for name in NAMES)
    learned = ~np.isnan(bias)
    bad = (learned != ~np.isnan(spread)) | (learned != ~np.isnan(noise)) | (learned & ~(
        np.isfinite(bias) & np.isfinite(spread) & (spread > 0) & np.isfinite(noise) & (noise >= 0)))
    if bad.any():
        y, w = np.argwhere(bad)[0]
        raise ArtifactError(file, f"log bias {bias[y, w]} beside spread {spread[y, w]} and noise "
                            f"{noise[y, w]}", again,
                            key=f"{expected['witness'].values[w]}, {int(expected['year'].values[y])}")
    return expected.assign_coords(witness=expected["witness"].values.astype(str))


def at_observations(expected: xr.Dataset, panel: xr.Dataset) -> xr.Dataset:
    """What is expected of each of a panel's reports.

    Parameters
    ----------
    expected : (year, witness), from :func:`open_expectations`; series and years are found by their names.
    panel : with ``witness``, ``year``, ``flow_witness`` and ``flow_year``.

    Returns
    -------
    Dataset with the same variables (observation,), float64; NaN where the series and year was not learned from.
    """
    w, y = (panel[f"flow_{k}"].values.astype(np.int64) for k in ("witness", "year"))
    series = pd.Index(expected["witness"].values.astype(str)).get_indexer(panel["witness"].values.astype(str))[w]
    year = pd.Index(expected["year"].values).get_indexer(panel["year"].values)[y]
    found = (series >= 0) & (year >= 0)
    return xr.Dataset({name: ("observation", np.where(found, expected[name].values.astype(np.float64)[year, series],
                                                      np.nan)) for name in NAMES})


def join_expectations(panel: xr.Dataset, parts: Sequence[tuple[np.ndarray, xr.Dataset]]) -> xr.Dataset:
    """Expectations of several members as one: of each report those of the member that never saw it.

    Parameters
    ----------
    panel : whose reports they are.
    parts : bool (observation,) of what a member did not see, and its expectations (year, witness). No report may be in
        two parts.

    Returns
    -------
    Dataset (observation,), as of :func:`at_observations`; NaN where no part has the report.
    """
    if (np.sum([mask for mask, _ in parts], axis=0) > 1).any():
        raise ValueError("an observation is withheld in two parts")
    joined = {name: np.full(panel.sizes["observation"], np.nan) for name in NAMES}
    for mask, expected in parts:
        mine = at_observations(expected, panel)
        for name in NAMES:
            joined[name][mask] = mine[name].values[mask]
    return xr.Dataset({name: ("observation", values) for name, values in joined.items()})


def score_reports(labels: dict, cells: pd.DataFrame, estimated: np.ndarray,
                  expected: xr.Dataset | None) -> tuple[float, int]:
    """Log score of a set of reports by residence, and of how many.

    Parameters
    ----------
    labels : ``criterion`` and ``horizon`` of the set.
    cells : ``persons`` and ``observation`` (position in the panel) of each report.
    estimated : persons, array (cell,).
    expected : (observation,), learned without the reports of ``cells``; None where nothing is known.

    Returns
    -------
    Mean log density, nats a report, and the number of reports; NaN and 0 without any: for counts by citizenship or
    birthplace and sums of years, which are of other moves than the estimate, and where no series was learned from.
    """
    if expected is None or (labels["criterion"], labels["horizon"]) != (CRITERION, HORIZON):
        return float("nan"), 0
    at = cells["observation"].to_numpy(np.int64)
    bias, spread, noise = (expected[name].values[at] for name in NAMES)
    known = np.isfinite(bias) & np.isfinite(spread)
    return log_score(cells["persons"].to_numpy()[known], np.asarray(estimated)[known], bias[known], spread[known],
                     count=COUNT, publish=_publisher(noise[known])), int(known.sum())


def _publisher(noise: np.ndarray) -> Callable | None:
    """What becomes of counts, see ``scores.log_densities``; None where no source adds noise."""
    if not noise.any():
        return None
    import torch  # counts without noise are scored without it

    from ..model.privacy_noise import private_counts

    return lambda counted: tuple(x.numpy() for x in private_counts(torch.tensor(counted), torch.tensor(noise)))


def add_log_score(table: pd.DataFrame, own: str, labels: dict, cells: pd.DataFrame, estimated: np.ndarray,
                  expected: xr.Dataset | None) -> pd.DataFrame:
    """A table of one set's scores with ``COLUMNS``: of the estimates alone, since nobody else says what it expects.

    Parameters
    ----------
    table : one row for each ``peer``.
    own : the name of the estimates among them.
    labels, cells, estimated, expected : as for :func:`score_reports`, of the cells that the table's scores are of.
    """
    score, number = score_reports(labels, cells, estimated, expected)
    mine = (table["peer"] == own).to_numpy(bool)
    return table.assign(log_score=np.where(mine, score, np.nan), log_score_n=np.where(mine, number, 0))
