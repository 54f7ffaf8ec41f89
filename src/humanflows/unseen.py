"""Scores of an ensemble: every report against the mean of the members that never saw it, beside others' estimates."""
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from . import artifacts, ensemble, paths, pipeline
from .config import load_config
from .intervals import Views, inputs_of, kinds_of, open_views
from .results.peers import published_peers
from .results.protocols import score_flows
from .territories import codes

MADE_BY = "humanflows intervals"
SCORING_CODE = ("unseen.py", "intervals.py", "results/protocols.py", "results/scores.py", "results/validation.py",
                "results/report_expectations.py", "model/privacy_noise.py", "model/spreads.py",
                "results/bootstrap.py", "results/peers.py", "results/offices.py", "panel/trusted_offices.py")


def scores_path(profile: str) -> Path:
    """Where the table of scores lies, CSV."""
    return ensemble.folder(profile, "crossed") / "scores.csv"


def predict_unseen(panel: xr.Dataset, views: tuple[Views, ...],
                   kinds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What members say of reports that they never saw: by kind their mean, persons, (observation,); NaN where none did.

    Parameters
    ----------
    panel : with everything.
    views : of ensembles, in the order of the members of ``kinds``.
    kinds : bool (member, observation), from :func:`humanflows.intervals.kinds_of`.
    """
    at = tuple(panel[f"flow_{k}"].values.astype(np.int64) for k in ("year", "origin", "destination"))
    total = {kind: np.zeros(panel.sizes["observation"]) for kind in kinds}
    number = 0
    for view in views:
        for k in range(view.members.sizes["member"]):
            said = view.members["flow"].isel(member=k).values[at].astype(np.float64)
            for kind, whose in kinds.items():
                total[kind] += np.where(whose[number], said, 0.0)
            number += 1
    count = {kind: whose.sum(0) for kind, whose in kinds.items()}
    return {kind: np.where(count[kind] > 0, total[kind] / np.maximum(count[kind], 1), np.nan) for kind in kinds}


def keep_scores(profile: str, *, settings: Mapping | None = None) -> Path:
    """Score the members on what they never saw: held-out corridors, held-out offices, the last years; kept when fresh.

    Parameters
    ----------
    profile, settings : as the ensembles were made.

    Returns
    -------
    Path of the table: ``kind`` and the columns of :func:`humanflows.results.protocols.score_flows`.

    Raises
    ------
    ArtifactError
        When members are missing.
    """
    target, config = scores_path(profile), ensemble.ensemble_config(profile, design="crossed", settings=settings)
    inputs = {**inputs_of(profile, config, settings), "trusted": artifacts.sha256(paths.TRUSTED_OFFICES),
              "code": artifacts.code_digest(*SCORING_CODE)}
    if artifacts.is_fresh(target, inputs):
        return target
    panel = pipeline.open_panel(config)
    splits = pipeline.open_splits(load_config(profile))     # only its territories count: all corridors are scored
    views = tuple(open_views(profile, panel, d, settings=settings) for d in ("crossed", "blind"))
    kinds = kinds_of(panel, *views)
    peers, tables = published_peers(config.years, codes()) if profile == "world" else {}, []
    for kind, said in predict_unseen(panel, views, kinds).items():
        table = score_flows(xr.DataArray(said, dims="observation"), panel, splits, peers, part="all",
                            observations=kinds[kind].any(0), seed=config.seed)
        tables.append(table.assign(kind=kind))
    whole = pd.concat(tables, ignore_index=True)
    whole = whole[["kind", *(c for c in whole.columns if c != "kind")]]
    artifacts.write_text(target, whole.to_csv(index=False, float_format="%.4g"))
    artifacts.write_manifest(target, made_by=MADE_BY, inputs=inputs, profile=profile, seed=config.seed)
    return target
