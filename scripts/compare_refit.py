"""Today's model fitted again on the newer panel, beside the release: data/panel/refit_scores.csv, refit_corridors.csv.

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
from humanflows.results.protocol_tables import file_name
from humanflows.results.validation import OWN

SCORES = ["n", "r", "log_r", "cpc", "within_r", "log_bias"]
KEYS = ["collection", "side", "criterion"]
FIRST_YEAR, LISTED = 2014, 100      # years that the newer reports speak of; corridor-years that are listed
FOLDS = "fold"


def compare_scores() -> pd.DataFrame:
    """Scores of held-out corridors, all five folds, in the release and in the refit; NaN where a side has none."""
    sides = []
    for file in (paths.RELEASE / file_name("scores"), folder("world") / file_name("scores")):
        table = pd.read_csv(file, keep_default_na=False, na_values=[""])
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
    """Largest report of each corridor-year by residence, else by citizenship or birthplace [year, o, d]; NaN: none."""
    shape = (panel.sizes["year"], panel.sizes["origin"], panel.sizes["destination"])
    found = {}
    witness = panel["flow_witness"].values
    for kind, mask in (("residence", panel["witness_criterion"].values == "residence"),
                       ("other", panel["witness_criterion"].values != "residence")):
        rows = mask[witness]
        found[kind] = np.full(shape, -1.0)
        where = tuple(panel[f"flow_{k}"].values[rows] for k in ("year", "origin", "destination"))
        np.maximum.at(found[kind], where, panel["flow_persons"].values[rows])
    best = np.where(found["residence"] >= 0, found["residence"], found["other"])
    return np.where(best >= 0, best, np.nan)


def compare_corridors() -> pd.DataFrame:
    """The corridor-years since ``FIRST_YEAR`` that moved by most persons, with the largest report of them."""
    config = load_config("world")
    panel = pipeline.open_panel(config)
    store = Store(paths.RELEASE)
    before, after, report = store.array("flow").astype(float), refitted_flow(panel, config), largest_report(panel)
    years, codes = panel["year"].values, panel["origin"].values.astype(str)
    moved = np.where((years >= FIRST_YEAR)[:, None, None], np.abs(after - before), -1.0)
    y, o, d = np.unravel_index(np.argsort(-moved, axis=None, kind="stable")[:LISTED], moved.shape)
    return pd.DataFrame({"year": years[y], "origin": codes[o], "destination": codes[d], "release": before[y, o, d],
                         "refit": after[y, o, d], "largest_report": report[y, o, d]})


def main() -> None:
    """Write both tables."""
    for name, table in (("refit_scores", compare_scores()), ("refit_corridors", compare_corridors())):
        print(write_text(paths.PANEL / f"{name}.csv", table.to_csv(index=False, float_format="%.4g")))


if __name__ == "__main__":
    main()
