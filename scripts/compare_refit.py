"""Today's model fitted again on the newer panel, beside the release: data/panel/refit_*.csv.

Usage: python scripts/compare_refit.py, after humanflows protocols --profile world --only fold

A plain check, not a release. Scores are those of corridors that a fold held out, before and after. Flows of the refit
are the mean of the four of five members that saw the corridor; those of the release the mean of its members.
"""
import numpy as np
import pandas as pd

from humanflows import paths, pipeline
from humanflows.artifacts import write_text
from humanflows.config import load_config
from humanflows.dataset.files import Store
from humanflows.panel.splits import make_splits
from humanflows.protocols import TOGETHER, configure, folder, list_protocols
from humanflows.results.estimates import open_estimates
from humanflows.results.offices import of_offices
from humanflows.results.protocol_tables import file_name
from humanflows.results.validation import OWN

SCORES = ["n", "r", "log_r", "cpc", "within_r", "log_bias"]
KEYS = ["collection", "side", "criterion"]
FIRST_YEAR, LISTED = 2014, 100      # years that the newer reports speak of; corridor-years that are listed
FOLDS = "fold"
# Corridors that many readers look up and of which newer collections report.
NAMED = (("IND", "GBR", 2023), ("NGA", "GBR", 2023), ("CHN", "GBR", 2022), ("COL", "ESP", 2023), ("MAR", "ESP", 2022),
         ("UKR", "CZE", 2022), ("UKR", "NLD", 2022), ("UKR", "ESP", 2022), ("SYR", "SWE", 2016), ("SYR", "NLD", 2022),
         ("IND", "NZL", 2023), ("PHL", "NZL", 2023), ("POL", "NLD", 2019), ("ROU", "ITA", 2018), ("GBR", "IRL", 2022),
         ("SYR", "AUT", 2022))


def compare_scores() -> pd.DataFrame:
    """Scores of held-out corridors, all five folds, in the release and in the refit; NaN where a side has none."""
    sides = []
    for file in (paths.RELEASE / file_name("scores"), folder("world") / file_name("scores")):
        table = of_offices(pd.read_csv(file, keep_default_na=False, na_values=[""]))
        own = table[(table["protocol"] == TOGETHER[FOLDS]) & (table["peer"] == OWN) & (table["horizon"] == "annual")]
        sides.append(own.set_index(KEYS)[SCORES])
    return sides[0].join(sides[1], how="outer", lsuffix="_release", rsuffix="_refit").reset_index()


def refitted_flow(panel, config) -> np.ndarray:
    """Flows [year, origin, destination] of the refit: the mean of the members that saw the corridor."""
    total, seen = np.zeros((panel.sizes["year"], *(panel.sizes["origin"],) * 2)), 0
    for protocol in list_protocols(config, panel):
        if protocol.name.startswith(f"{FOLDS}-"):
            saw = ~make_splits(panel, configure("world", split=protocol.split).split)["held_out"].values.astype(bool)
            total += np.where(saw, open_estimates(folder("world") / protocol.name / "estimates.nc").flow.values, 0.0)
            seen = seen + saw
    return total / np.maximum(seen, 1)


def largest_report(panel) -> np.ndarray:
    """Largest report of each corridor-year, by whichever criterion [year, origin, destination]; NaN where none is."""
    found = np.full((panel.sizes["year"], panel.sizes["origin"], panel.sizes["destination"]), -1.0)
    where = tuple(panel[f"flow_{k}"].values for k in ("year", "origin", "destination"))
    np.maximum.at(found, where, panel["flow_persons"].values)
    return np.where(found >= 0, found, np.nan)


def compare_corridors() -> dict[str, pd.DataFrame]:
    """Corridor-years since ``FIRST_YEAR`` with their largest report: those that moved by most, and ``NAMED``."""
    config = load_config("world")
    panel = pipeline.open_panel(config)
    store = Store(paths.RELEASE)
    before, after, report = store.array("flow").astype(float), refitted_flow(panel, config), largest_report(panel)
    years, codes = panel["year"].values, panel["origin"].values.astype(str)
    moved = np.where((years >= FIRST_YEAR)[:, None, None], np.abs(after - before), -1.0)
    most = np.unravel_index(np.argsort(-moved, axis=None, kind="stable")[:LISTED], moved.shape)
    place = {code: k for k, code in enumerate(codes)}
    named = np.array([(year - years[0], place[o], place[d]) for o, d, year in NAMED]).T
    return {name: pd.DataFrame({"year": years[y], "origin": codes[o], "destination": codes[d],
                                "release": before[y, o, d], "refit": after[y, o, d], "largest_report": report[y, o, d]})
            for name, (y, o, d) in (("refit_corridors", most), ("refit_named", named))}


def main() -> None:
    """Write the tables."""
    for name, table in {"refit_scores": compare_scores(), **compare_corridors()}.items():
        print(write_text(paths.PANEL / f"{name}.csv", table.to_csv(index=False, float_format="%.4g")))


if __name__ == "__main__":
    main()
