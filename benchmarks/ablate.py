"""What does one part of the training buy? The chain with and without it, side by side on the same held-out cells.

Each run has a build folder of its own and is kept there; an interrupted one resumes. Example:

    .venv/bin/python benchmarks/ablate.py --epochs 200 "without reconstructions: loss.reconstruction=0"
"""
import argparse
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd

from humanflows import artifacts, paths

KEEP = ["collection", "side", "criterion", "horizon", "n", "r", "log_r", "abs_log_error", "cpc", "log_bias", "within_r",
        "change_r"]
STEPS = ("harmonise", "train", "estimate", "validate")


def run(label: str, settings: list[str], profile: str) -> Path:
    """Run the chain under these settings; returns its folder of artifacts."""
    build = paths.BUILD / "ablation" / label.replace(" ", "-")
    build.mkdir(parents=True, exist_ok=True)
    tables = build / "tables"
    if not tables.exists() and (paths.BUILD / "tables").is_dir():
        tables.symlink_to(paths.BUILD / "tables")          # the sources are read once for all runs
    chosen = [word for setting in settings for word in ("--set", setting)]
    for step in STEPS:
        command = [sys.executable, "-c", "from humanflows.cli import app; app()", step, "--profile", profile, *chosen]
        subprocess.run(command, check=True, env={**os.environ, "HUMANFLOWS_BUILD": str(build),
                                                 "HUMANFLOWS_ROOT": str(paths.ROOT)})
    return build / "artifacts" / profile


def collect(label: str, folder: Path) -> pd.DataFrame:
    """Our own scores of one run, and its net migration against the UN's."""
    scores = pd.read_csv(folder / "scores.csv", keep_default_na=False, na_values=[""])
    net = pd.read_csv(folder / "net_migration_scores.csv").rename(columns={"reference": "collection"})
    net = net.assign(side="net migration", criterion="")
    rows = pd.concat([t[t.peer == "humanflows"].reindex(columns=KEEP) for t in (scores, net)], ignore_index=True)
    return rows.assign(run=label)[["run", *KEEP]]


def main() -> None:
    """Parse the command line, run, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("change", nargs="+", help='"label: key=value key=value"')
    parser.add_argument("--profile", default="world")
    parser.add_argument("--epochs", type=int, help="of every run; default: as configured")
    parser.add_argument("--output", type=Path, default=paths.RELEASE / "ablation.csv")
    given = parser.parse_args()
    epochs = [f"train.epochs={given.epochs}", f"train.patience={given.epochs}"] if given.epochs else []
    runs = {"everything": epochs}
    for change in given.change:
        label, _, settings = change.partition(":")
        runs[label.strip()] = epochs + settings.split()
    table = pd.concat([collect(label, run(label, settings, given.profile)) for label, settings in runs.items()])
    artifacts.write_text(given.output, table.to_csv(index=False, float_format="%.5g"))
    print(f"→ {given.output}")


if __name__ == "__main__":
    main()
