"""Write data/panel: what the panel of the real sources holds and leaves out, what two reports of one flow say, and what
sources say of whole territories.

Usage: python scripts/describe_panel.py, after humanflows harmonise --profile world
"""
import numpy as np
import pandas as pd
import xarray as xr

from humanflows import paths, pipeline
from humanflows.artifacts import require_whole, write_text
from humanflows.config import load_config
from humanflows.model.privacy_noise import estimate_noise
from humanflows.panel.double_reports import compare_definitions, compare_double_reports
from humanflows.panel.platform_counts import compare_platform
from humanflows.panel.reported_totals import describe_totals
from humanflows.sources.catalogue import SOURCES, load_all


def compared(flow: pd.DataFrame) -> dict:
    """The text of each file of comparisons."""
    return {paths.DOUBLE_REPORTS: compare_double_reports(flow).to_csv(index=False, lineterminator="\n"),
            paths.TWO_DEFINITIONS: compare_definitions(flow).to_csv(index=False, lineterminator="\n")}


def platform_counts(panel: xr.Dataset, source: str = "meta") -> pd.DataFrame:
    """What the platform shows of flows that offices count, and the monthly noise that follows from all of them."""
    noise = estimate_noise(panel, np.ones(panel.sizes["observation"], bool))
    mine = panel.witness_source.values.astype(str) == source
    return compare_platform(panel, source).assign(monthly_noise=noise[mine].max().round(2))


def main() -> None:
    """Write all tables."""
    config = load_config("world")
    for name in pipeline.PANEL_TABLES:
        made = require_whole(pipeline.table_path(config, name), "harmonise", of=pipeline.panel_path(config))
        print(write_text(paths.PANEL / f"{name}.csv", made.read_text(encoding="utf-8")))
    panel = pipeline.open_panel(config)
    for name, table in {**describe_totals(panel), "platform_counts": platform_counts(panel)}.items():
        print(write_text(paths.PANEL / f"{name}.csv", table.to_csv(index=False, lineterminator="\n")))
    sources = [name for name, source in SOURCES.items() if "flow" in source.tables]
    for file, text in compared(load_all(sources)["flow"]).items():
        print(write_text(file, text))


if __name__ == "__main__":
    main()
