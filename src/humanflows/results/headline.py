"""The scores that lead: all folds of the corridors together where they were run with the estimates, else the one fold.

A single fold is a fifth of the corridors. A few large ones among them decide R and CPC, so that another fold would have
other scores; the folds together are every corridor, each scored on the member that never saw it.
"""
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from .. import artifacts, paths
from .offices import ALL, TRUSTED, of_offices, with_offices
from .protocol_tables import pooled_scores, read_protocols

SCORED = ("r", "log_r", "cpc", "within_r")       # of what prose says
OF_ALL, OF_ONE = "all folds of the corridors together", "one fold of the corridors"
_PEERS = {"humanflows": "own", "Gaskin & Abel (published)": "reference"}


@dataclass(frozen=True)
class Headline:
    """Scores of held-out corridors, and whether they are of all folds together."""

    scores: pd.DataFrame
    together: bool

    @property
    def of(self) -> str:
        """Which corridors were held out, in words."""
        return OF_ALL if self.together else OF_ONE


def choose_headline(one: pd.DataFrame, protocols: Mapping[str, pd.DataFrame], about: Mapping | None) -> Headline:
    """The scores that lead.

    Parameters
    ----------
    one : scores of the estimates' own fold, as ``scores.csv`` has them.
    protocols : as :func:`humanflows.results.protocol_tables.read_protocols` gives them; may be empty.
    about : what the release's manifest says of the protocols. Those that were run with other settings or data than the
        estimates say nothing about them.
    """
    pooled = pooled_scores(protocols) if (about or {}).get("of_this_release") else None
    return Headline(with_offices(one), False) if pooled is None else Headline(pooled, True)


def read_headline(folder: Path | None = None) -> Headline:
    """The scores that lead in a release.

    Raises
    ------
    ArtifactError
        Without ``scores.csv``, or where some tables of the protocols are missing.
    """
    folder = folder or paths.RELEASE
    file = artifacts.require(folder / "scores.csv", "humanflows release --profile world")
    manifest = folder / "manifest.json"
    listed = json.loads(manifest.read_text(encoding="utf-8")) if manifest.is_file() else {}
    return choose_headline(pd.read_csv(file, keep_default_na=False, na_values=[""]), read_protocols(folder),
                           listed.get("protocols"))


def score_facts(headline: Headline) -> dict[str, str]:
    """What prose may say of scores: annual flows by residence of UN DESA's collection, ours and the reference's.

    Returns
    -------
    dict of formatted strings: ``<side>_own_<score>``, ``<side>_reference_<score>``, ``<side>_cells``, the same with
    ``_trusted`` at the end for reports of trusted offices where there are any, and ``scores_of``.
    """
    facts = {"scores_of": headline.of}
    scores = headline.scores
    for offices, end in ((ALL, ""), (TRUSTED, "_trusted")):
        table = of_offices(scores, offices)
        table = table[(table["collection"] == "undesa_imfsc") & (table["criterion"] == "residence")
                      & (table["horizon"] == "annual")]
        for side in ("immigration", "emigration"):
            rows = table[table["side"] == side].set_index("peer")
            for peer, short in _PEERS.items():
                if peer in rows.index:
                    facts |= {f"{side}_{short}_{k}{end}": f"{rows.loc[peer, k]:.2f}" for k in SCORED}
            if len(rows):
                facts[f"{side}_cells{end}"] = f"{int(rows['n'].iloc[0]):,}"
    return facts
