"""What is expected of the reports of each series and year, as arrays of the panel: their bias, its deviation, spread.

The definitions and what is expected of them are data (``panel.reporting_systems``). Here they are laid out beside the
series of the panel, so that a model needs nothing but the panel, and a report without a definition stops harmonising.
"""
import numpy as np
import pandas as pd
import xarray as xr

from ..errors import ArtifactError
from .reporting_systems import AND, CLASSES, DURATIONS, SERIES, add_priors, describe_reports

NAMES = ("report_log_bias", "report_log_bias_sd", "report_spread", "report_system", "report_class", "report_duration",
         "report_break")
NONE = -1      # of ``report_system``, ``report_class``, ``report_duration``: no report of this series and year


def report_priors(panel: xr.Dataset, systems: pd.DataFrame | None = None,
                  classes: pd.DataFrame | None = None) -> dict:
    """Priors of the reports of each series (``witness``) and year.

    Parameters
    ----------
    panel : with the lists of reported flows.
    systems : definitions as of ``reporting_systems.read_systems``; default the project's own.
    classes : priors of classes as of ``reporting_systems.read_classes``; default the project's own.

    Returns
    -------
    dict of variables (year, witness): ``report_log_bias`` and ``report_log_bias_sd``, mean and standard deviation of
    the log of a report over the flow of stays of twelve months; ``report_spread``, standard deviation of the log of a
    single report around its biased mean; ``report_system``, line of the definition in its table; ``report_class`` and
    ``report_duration``, positions in ``reporting_systems.CLASSES`` and ``DURATIONS``; ``report_break``, 1 where the
    series breaks. NaN and -1 without a report.

    Raises
    ------
    SchemaError
        For a report without a definition, or a class without a prior.
    """
    shape = panel.sizes["witness"], panel.sizes["year"]
    out = {name: np.full(shape, np.nan, np.float32) for name in NAMES[:3]}
    out |= {name: np.full(shape, NONE, np.int16) for name in NAMES[3:6]}
    out["report_break"] = np.zeros(shape, np.int8)
    if panel.sizes["observation"]:
        at = np.unique(np.stack([panel.flow_witness.values, panel.flow_year.values]).astype(np.int64), axis=1)
        series = pd.DataFrame({k: panel[f"witness_{k}"].values.astype(str)[at[0]] for k in (*SERIES, "flow_type")})
        series = series.assign(year=panel.year.values[at[1]], position=range(at.shape[1]))
        described = add_priors(describe_reports(series, systems), classes)
        described = series[[*SERIES, "year", "position"]].merge(described, on=[*SERIES, "year"], how="left")
        described = described.sort_values("position")
        classes_at, durations_at = ({name: k for k, name in enumerate(x)} for x in (CLASSES, DURATIONS))
        first_years = [{int(b.strip()[:4]) for b in cell.split(AND)} if cell else set() for cell in described["breaks"]]
        for name, values in zip(NAMES, (*(described[k] for k in ("log_bias_mean", "log_bias_sd", "spread", "row")),
                                        described["class"].map(classes_at), described["duration"].map(durations_at),
                                        [year in breaks for year, breaks in zip(described["year"], first_years)])):
            out[name][at[0], at[1]] = np.asarray(values)
    about = {"report_log_bias": "expected log of a report over the flow", "report_log_bias_sd": "its deviation",
             "report_spread": "deviation of the log of a report around its biased mean",
             "report_system": "line of the definition; -1: no report",
             "report_class": f"position in {', '.join(CLASSES)}; -1: no report",
             "report_duration": f"position in {', '.join(DURATIONS)}; -1: no report",
             "report_break": "1 where the reporting system changes"}
    return {name: (("year", "witness"), values.T, {"long_name": about[name]}) for name, values in out.items()}


def require_priors(panel: xr.Dataset) -> None:
    """Check that a panel tells what is expected of each of its reports.

    Raises
    ------
    ArtifactError
        Naming the first series without a definition or with a deviation that is none.
    """
    if missing := [name for name in NAMES if name not in panel]:
        raise ArtifactError("panel", f"it lacks {missing[0]}: it was made before reports had definitions",
                            "make it again with humanflows harmonise", key=missing[0])
    at = panel.flow_year.values.astype(int), panel.flow_witness.values.astype(int)
    for name in NAMES[:3]:
        value = panel[name].values[at]
        bad = ~np.isfinite(value) | ((value <= 0) if name != "report_log_bias" else False)
        if bad.any():
            k = int(np.flatnonzero(bad)[0])
            series, year = str(panel.witness.values[at[1][k]]), int(panel.year.values[at[0][k]])
            raise ArtifactError("panel", f"{name} is {value[k]} for reports of {series} in {year}", "define the "
                                "reporting system, and its class with deviations above zero, and harmonise again",
                                key=series)
