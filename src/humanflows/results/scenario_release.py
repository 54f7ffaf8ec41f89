"""Scenarios in the release: small tables that prose and figures read; the full results stay where they were run."""
from pathlib import Path

import pandas as pd
import xarray as xr

from .. import artifacts, paths
from .scenario_result import corridor_table, territory_table, total_table

ABOUT, TABLES = "scenario.json", ("territories", "corridors", "totals")
CORRIDORS = 40


def write_released(result: xr.Dataset, about: Path, target: Path) -> Path:
    """Write the tables of one scenario, persons rounded, and what was asked and what it means.

    Parameters
    ----------
    result : of ``scenario_result``.
    about : the file that says what was asked, copied as it is.
    target : folder, as ``data/release/scenarios/<name>``.
    """
    for name, table in zip(TABLES, (territory_table(result), corridor_table(result, CORRIDORS), total_table(result))):
        artifacts.write_text(target / f"{name}.csv", table.round(0).to_csv(index=False, float_format="%.6g"))
    artifacts.write_text(target / ABOUT, about.read_text(encoding="utf-8"))
    return target


def read_released(name: str, table: str, folder: Path | None = None) -> pd.DataFrame | None:
    """A released scenario's table, one of ``TABLES``; None where the release has no such scenario."""
    file = (folder or paths.RELEASE / "scenarios") / name / f"{table}.csv"
    return pd.read_csv(file, keep_default_na=False, na_values=[""]) if file.is_file() else None
