"""Which corridors are learned from, which stop the training early, and which are never seen before the scores.

The unit is the ordered corridor (origin, destination), not the observation: the immigration report of the destination's
office, the emigration report of the origin's office, counts by citizenship or birthplace, Meta's counts and the
reconstructions all speak about the same move, so they are learned from together or held out together. Folds are a
seeded permutation of the corridors and depend on nothing that was ever measured.
"""
from collections.abc import Iterable, Sequence

import numpy as np
import xarray as xr

from ..config import SplitConfig
from ..errors import ArtifactError, ConfigError, DuplicateKeyError, SchemaError
from ..schema import OWN_RECONSTRUCTION
from .publications import repeats, votes

PARTS = ("train", "validation", "held_out")
# One seed serves two independent draws.
_FOLD_STREAM, _VALIDATION_STREAM, _PERTURB_STREAM = 0, 1, 2


def corridor_folds(n: int, folds: int, seed: int) -> np.ndarray:
    """Deal the ordered corridors between ``n`` territories into folds of equal size (to within one corridor).

    Parameters
    ----------
    n : number of territories, at least 2.
    folds : number of folds, from 2 to the number of corridors.
    seed : of the permutation, not negative.

    Returns
    -------
    int8 or int16 array (origin, destination): values 1..folds, 0 on the diagonal.

    Raises
    ------
    ConfigError
        For sizes that make no folds.
    """
    corridors = n * (n - 1)
    if n < 2:
        raise ConfigError("splits", f"{n} territories have no corridor", "give at least two territories", "territories")
    if not 2 <= folds <= corridors:
        raise ConfigError("splits", f"{folds} folds over {corridors} corridors", "use 2 folds or more, and no more "
                          "folds than corridors", "split.folds")
    if seed < 0:
        raise ConfigError("splits", f"seed {seed} is negative", "use a seed of 0 or more", "split.seed")
    order = np.random.default_rng([seed, _FOLD_STREAM]).permutation(corridors)
    dealt = np.empty(corridors, dtype=np.int16 if folds > 127 else np.int8)
    dealt[order] = np.arange(corridors) % folds + 1
    result = np.zeros((n, n), dtype=dealt.dtype)
    result[~np.eye(n, dtype=bool)] = dealt
    return result


def make_splits(panel_or_codes: xr.Dataset | Sequence[str], split: SplitConfig) -> xr.Dataset:
    """Say for every corridor whether it is learned from, used for early stopping, or held out.

    Parameters
    ----------
    panel_or_codes : the panel (only its ``origin`` coordinate is read) or the territory codes in the panel's order.
    split : folds, the held-out fold (1-based; 0: none), the share of the other corridors for validation, the seed.

    Returns
    -------
    Dataset with dims origin, destination: ``fold`` (0 on the diagonal) and bool ``held_out``, ``validation``,
    ``train``. The three are disjoint and together cover every corridor; on the diagonal all are False.

    Raises
    ------
    ConfigError
        For an impossible fold, share or seed.
    DuplicateKeyError
        When a territory is named twice.
    """
    codes = _codes(panel_or_codes)
    if not 0 <= split.held_out_fold <= split.folds:
        raise ConfigError("splits", f"held-out fold {split.held_out_fold} of {split.folds} folds",
                          "folds are counted from 1; 0 holds out none", "split.held_out_fold")
    if not 0 <= split.validation_share < 1:
        raise ConfigError("splits", f"validation share {split.validation_share}",
                          "use a share from 0 to below 1", "split.validation_share")
    fold = corridor_folds(len(codes), split.folds, split.seed)
    held_out = (fold == split.held_out_fold) & (fold > 0)
    rest = np.flatnonzero(((fold > 0) & ~held_out).ravel())
    stream = [split.seed, _VALIDATION_STREAM, *([split.validation_draw] if split.validation_draw else [])]
    drawn = np.random.default_rng(stream).permutation(rest)
    validation = np.zeros(fold.size, dtype=bool)
    validation[drawn[:round(split.validation_share * len(rest))]] = True
    validation = validation.reshape(fold.shape)
    dims = ("origin", "destination")
    return xr.Dataset(
        {"fold": (dims, fold, {"long_name": "fold of the corridor", "comment": "0 on the diagonal"}),
         "held_out": (dims, held_out, {"long_name": "corridor is never learned from"}),
         "validation": (dims, validation, {"long_name": "corridor is used for early stopping alone"}),
         "train": (dims, (fold > 0) & ~held_out & ~validation, {"long_name": "corridor is learned from"})},
        coords={"origin": list(codes), "destination": list(codes)},
        attrs={"title": "Splits of the ordered corridors", "unit": "ordered corridor, with every witness of it",
               "folds": split.folds, "held_out_fold": split.held_out_fold,
               "validation_share": split.validation_share, "seed": split.seed})


def _codes(panel_or_codes) -> tuple[str, ...]:
    if isinstance(panel_or_codes, xr.Dataset):
        if "origin" not in panel_or_codes.coords:
            raise SchemaError("splits", "the panel has no coordinate 'origin'", "give the panel made by harmonise")
        panel_or_codes = panel_or_codes["origin"].values.tolist()
    codes = tuple(str(c) for c in panel_or_codes)
    twice = sorted({c for c in codes if codes.count(c) > 1})
    if twice:
        raise DuplicateKeyError("splits", f"territory {twice[0]!r} is named twice", "name each territory once",
                                twice[0])
    return codes


def split_of(origin: np.ndarray, destination: np.ndarray, splits: xr.Dataset) -> np.ndarray:
    """Name the part of each corridor.

    Parameters
    ----------
    origin, destination : integer arrays of one shape, indices of territories.
    splits : from :func:`make_splits`.

    Returns
    -------
    str array of that shape: ``"train"``, ``"validation"`` or ``"held_out"``.

    Raises
    ------
    SchemaError
        For an index outside the territories, or a pair on the diagonal, which is no corridor.
    """
    origin, destination = np.asarray(origin), np.asarray(destination)
    n = splits.sizes["origin"]
    if origin.shape != destination.shape:
        raise SchemaError("splits", f"origins {origin.shape} and destinations {destination.shape} differ in shape",
                          "give one destination for each origin")
    for name, index in (("origin", origin), ("destination", destination)):
        bad = (index < 0) | (index >= n)
        if bad.any():
            raise SchemaError("splits", f"{name} index {index[bad][0]} outside 0..{n - 1}",
                              "use the splits made for this panel", name)
    if (origin == destination).any():
        raise SchemaError("splits", "a territory paired with itself is no corridor", "drop the diagonal",
                          key=str(splits["origin"].values[origin[origin == destination][0]]))
    part = np.full(splits["fold"].shape, "", dtype="<U10")
    for name in PARTS:
        part[splits[name].values.astype(bool)] = name
    return part[origin, destination]


def observations_in(panel: xr.Dataset, splits: xr.Dataset, parts: str | Iterable[str]) -> np.ndarray:
    """Mask of the panel's flow observations whose corridor is in one of the parts, whoever witnessed it.

    Parameters
    ----------
    panel : with ``flow_origin`` and ``flow_destination`` (indices) along ``observation``.
    splits : made for the same territories in the same order.
    parts : one or several of ``PARTS``.

    Returns
    -------
    bool array (observation,).

    Raises
    ------
    ArtifactError
        When the splits were made for other territories.
    SchemaError
        For an unknown part.
    """
    wanted = (parts,) if isinstance(parts, str) else tuple(parts)
    for name in wanted:
        if name not in PARTS:
            raise SchemaError("splits", f"unknown part {name!r}", f"use one of {', '.join(PARTS)}", name)
    _same_territories(panel, splits)
    return np.isin(split_of(panel["flow_origin"].values, panel["flow_destination"].values, splits), wanted)


def _same_territories(panel, splits):
    for dim in ("origin", "destination"):
        if not np.array_equal(panel[dim].values.astype(str), splits[dim].values.astype(str)):
            raise ArtifactError("splits", f"splits and panel differ in their {dim}s",
                                "make the splits again from this panel", dim)


def training_observations(panel: xr.Dataset, splits: xr.Dataset, *, blind_from: int | None = None,
                          without_reporters: Sequence[str] = (), without_sources: Sequence[str] = ()) -> np.ndarray:
    """The one door through which fitting code may pick flow observations.

    Everything about a held-out or validation corridor stays outside, whatever the witness: both reporting sides,
    every criterion, and Meta. Reconstructions have a door of their own, :func:`training_reconstructions`. The other
    three protocols narrow the door further.

    Parameters
    ----------
    panel, splits : as in :func:`observations_in`.
    blind_from : first of the blind years.
    without_reporters : alpha-3 codes of offices left out.
    without_sources : names of sources left out.

    Returns
    -------
    bool array (observation,).

    Raises
    ------
    ArtifactError, SchemaError
        As in :func:`observations_in`; also for a reporter or source of which the panel has no witness.
    """
    mask = observations_in(panel, splits, "train")
    parts = [str(w).split("|") for w in panel["witness"].values]
    source, reporter = (np.array([p[k] for p in parts], dtype=str) for k in (0, 1))
    witness = panel["flow_witness"].values
    left_out = np.zeros(len(witness), dtype=bool)
    for given, have, what in ((without_reporters, reporter, "reporter"), (without_sources, source, "source")):
        unknown = sorted(set(given) - set(have))
        if unknown:
            raise SchemaError("splits", f"no witness of the panel has the {what} {unknown[0]!r}",
                              f"name a {what} that the panel has", unknown[0])
        left_out |= np.isin(have, list(given))[witness]
    number = votes(panel)
    mask &= ~np.isin(number, number[left_out]) & ~repeats(panel)
    if blind_from is not None:
        mask &= panel["year"].values[panel["flow_year"].values] < blind_from
    return mask


def training_reconstructions(panel: xr.Dataset, splits: xr.Dataset, *, blind_from: int | None = None) -> np.ndarray:
    """The same door for the five-year reconstructions by others, which also speak about held-out corridors.

    Parameters
    ----------
    panel : with ``reconstruction`` (method, period, origin, destination); ``period`` is the first year.
    splits : made for the same territories in the same order.
    blind_from : first of the blind years. A period runs from mid-year to mid-year, so the one called 2015 has half of
        2020 in it and is left out where 2020 is blind.

    Returns
    -------
    bool array (period, origin, destination): True for training corridors in periods that end before the blind years.

    Raises
    ------
    ArtifactError
        When the splits were made for other territories.
    """
    _same_territories(panel, splits)
    period = panel["period"].values
    seen = np.ones(len(period), dtype=bool) if blind_from is None else period + 5 < blind_from
    return seen[:, None, None] & splits["train"].values.astype(bool)[None]


def perturb_held_out(panel: xr.Dataset, splits: xr.Dataset, seed: int = 0) -> xr.Dataset:
    """Copy the panel with all that is said about the flow of a held-out corridor replaced by something else.

    For the leakage test: features, fitted weights and predictions made from the copy must be those made from the panel.
    Covariates (trade, the displaced) and stocks are not reports of flows, are never held out and stay as they are, and
    so does what we ourselves reconstruct from stocks alone.

    Returns
    -------
    Dataset like the panel; ``flow_persons`` and, where there are any, others' ``reconstruction`` differ in every
    observation or cell of a held-out corridor and in no other.
    """
    held_out = observations_in(panel, splits, "held_out")
    rng = np.random.default_rng([seed, _PERTURB_STREAM])
    persons = panel["flow_persons"].values.copy()
    persons[held_out] = _moved(persons[held_out], rng)
    changed = {"flow_persons": (panel["flow_persons"].dims, persons, panel["flow_persons"].attrs)}
    if "reconstruction" in panel:
        table = panel["reconstruction"].transpose("method", "period", "origin", "destination")
        values = table.values.copy()
        cells = splits["held_out"].values.astype(bool)
        for k in np.flatnonzero(table["method"].values.astype(str) != OWN_RECONSTRUCTION):
            values[k][:, cells] = _moved(values[k][:, cells], rng)
        changed["reconstruction"] = (table.dims, values, table.attrs)
    return panel.assign(changed)


def _moved(persons: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    # Multiplied, so that huge counts move in float32 as well, and at least one person more, so that zeros do.
    return np.floor(persons * rng.uniform(1.5, 20, persons.shape)) + rng.integers(1, 1000, persons.shape)
