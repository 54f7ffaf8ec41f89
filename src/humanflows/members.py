"""What the members of an ensemble say together: their mean, which keeps the books, and their packed weights."""
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from . import artifacts, ensemble, paths, pipeline
from .errors import ArtifactError
from .model.compact import save_compact
from .model.train import read_weights
from .panel.splits import make_splits
from .results.estimates import write_estimates
from .results.release import MEMBERS

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


def restore_members(profile: str, release: Path | None = None, *, members: int | None = None,
                    settings: Mapping | None = None) -> list[int]:
    """Put a release's packed weights where training would have put them; members whose weights are there stay.

    Their estimates are then made by :func:`humanflows.ensemble.run_ensemble`, as those of any member, in seconds
    instead of minutes. They differ from the estimates of unpacked weights by what packing rounds off
    (``model/compact.py``), and packing them again gives the same files.

    Parameters
    ----------
    profile : whose panel there must be.
    release : folder of a release; ``data/release`` by default.
    members, settings : of the ensemble of the design ``whole``.

    Returns
    -------
    list of int: the numbers of the members that were restored.

    Raises
    ------
    ArtifactError
        When the release holds no ensemble, too few members, a file that its manifest does not list, or members of other
        data or settings than the present ones: these have to be trained. That another version of the code trained them
        is no error; the manifest of a restored member names it.
    """
    release = paths.RELEASE if release is None else Path(release)
    config = ensemble.ensemble_config(profile, design="whole", members=members, settings=settings)
    train = f"train them: {MADE_BY} --profile {profile}"
    said = json.loads(artifacts.require(release / "manifest.json", "humanflows release").read_text(encoding="utf-8"))
    if "ensemble" not in said:
        raise ArtifactError(release / "manifest.json", "this release is of no ensemble", train, key="ensemble")
    panel, restored = pipeline.open_panel(config), []
    for number in ensemble.list_members(config):
        file = artifacts.require(release / MEMBERS / f"member-{number:02}.safetensors", MADE_BY)
        if artifacts.sha256(file) != said["files"].get(f"{MEMBERS}/{file.name}"):
            raise ArtifactError(file, "the file is not the one that the release's manifest lists",
                                "restore it from the repository", key=number)
        own, target = ensemble.member_config(config, number), ensemble.member_folder(profile, number)
        inputs = ensemble.inputs_of(panel, make_splits(panel, own.split), own)
        alike, published = ensemble.common_inputs(inputs), ensemble.common_inputs(said["ensemble"]["inputs"])
        changed = [k for k in alike if artifacts.digest(alike[k]) != artifacts.digest(published.get(k))]
        if set(changed) - {"code"}:     # weights say the same whatever trained them, where they still fit
            raise ArtifactError(file, f"the released member was made with other {', '.join(changed)} than there are "
                                "now", train, key=number)
        if ensemble.has_weights(target, inputs):
            continue
        artifacts.write_bytes(target / ensemble.WEIGHTS, file.read_bytes())
        artifacts.write_text(target / ensemble.HISTORY, "epoch\n")     # a release does not keep how a member learned
        seconds = 60 * said["ensemble"]["training_minutes"] / said["ensemble"]["members"]
        artifacts.write_manifest(
            target / ensemble.WEIGHTS, made_by=MADE_BY, inputs=inputs, seconds=round(seconds, 1), restored=True,
            beside=[target / ensemble.HISTORY], profile=profile, seed=own.seed,
            trained_by_code=published["code"])
        restored.append(number)
    return restored
