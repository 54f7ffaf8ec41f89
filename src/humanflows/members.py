"""What the members of an ensemble say together: their mean, which keeps the books, and their packed weights."""
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from . import artifacts, ensemble
from .model.compact import save_compact
from .model.train import read_weights
from .results.estimates import write_estimates

MADE_BY = ensemble.MADE_BY
MEAN = "mean.nc"


def mean_path(profile: str, design: str = "whole") -> Path:
    """Where the mean of a design's members lies."""
    return ensemble.folder(profile, design) / MEAN


def keep_mean(profile: str, *, design: str = "whole", members: int | None = None,
              settings: Mapping | None = None) -> Path:
    """The members' arithmetic mean of flows and stocks, kept when fresh; open it with ``open_estimates``.

    Every member's stocks follow from its flows, births and deaths by sums and products with given rates, so that means
    agree with each other as one member's figures do; medians or means of logarithms would not.

    Parameters
    ----------
    profile : whose ensemble has been made.
    design, members, settings : as it was made.

    Raises
    ------
    ArtifactError
        As :func:`humanflows.ensemble.open_members`.
    """
    config = ensemble.ensemble_config(profile, design=design, members=members, settings=settings)
    opened = ensemble.open_members(profile, design=design, members=members, settings=settings)
    files = [ensemble.member_folder(profile, int(k), design) / ensemble.ESTIMATES for k in opened.member.values]
    inputs = {"members": [(artifacts.read_manifest(f) or {}).get("sha256") for f in files],
              "code": artifacts.code_digest("members.py", "results/estimates.py")}
    target = mean_path(profile, design)
    if artifacts.is_fresh(target, inputs):
        return target
    total = {name: 0.0 for name in ("flow", "stock")}
    for k in range(opened.sizes["member"]):       # one member at a time in memory
        for name in total:
            total[name] = total[name] + opened[name].isel(member=k).values.astype(np.float64)
    flow, stock = (v / opened.sizes["member"] for v in total.values())
    return write_estimates(flow, stock, None, opened["year"].values.tolist(), opened["origin"].values.tolist(), target,
                           made_by=MADE_BY, inputs=inputs, profile=profile, seed=config.seed,
                           members=opened.sizes["member"], design=design)


def pack_members(profile: str, target: Path, *, design: str = "whole", members: int | None = None,
                 settings: Mapping | None = None) -> list[Path]:
    """Write every member's weights, packed (``model/compact.py``), into a folder: ``member-01.safetensors``, ….

    ``training.load_member`` reads them on ``ensemble.member_panel``. Files of members that are no longer there are
    removed.
    """
    config = ensemble.ensemble_config(profile, design=design, members=members, settings=settings)
    written = []
    for number in ensemble.list_members(config):
        tensors, _ = read_weights(ensemble.member_folder(profile, number, design) / ensemble.WEIGHTS)
        own = ensemble.member_config(config, number)
        written.append(save_compact(tensors, target / f"member-{number:02}.safetensors", profile=profile, design=design,
                                    number=number, seed=own.seed))
    for file in set(target.glob("member-*.safetensors")) - set(written):
        file.unlink()
    return written
