"""What others say, from the source files of this machine: every witness's points, and others' estimates.

None of it is part of the project. It is read when the page is made; where the files are not at hand the part is absent,
and the page says why.
"""
import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from ..dataset.evidence import PLATFORMS
from ..errors import ArtifactError
from ..plotting.charts import COLLECTION_COLOURS, SIDES, SOURCE_TITLES
from ..results.peers import REFERENCE, published_peers
from ..sources.catalogue import SOURCES
from .estimates import DIGITS, Kept, whole
from .packing import Part, encode

SPAN = 5                # years of a reconstruction's period
log = logging.getLogger(__name__)


def witnesses_part(panel: xr.Dataset, codes, years) -> Part:
    """Every report of a panel: corridor, witness, year and persons (to three digits).

    A series is what one witness says of one corridor. ``pairs`` and ``who`` have an entry for each series, rising by
    corridor; ``count`` says how many reports it has; ``at`` (years since the first) and ``persons`` hold these reports,
    one series after the other.

    Parameters
    ----------
    panel : of :func:`humanflows.panel.harmonise.harmonise`.
    codes, years : of the page; reports of other territories or years are left out.

    Raises
    ------
    ArtifactError
        When the panel shares no report with the page.
    """
    places = pd.Index(list(codes))
    origin, destination = (places.get_indexer(panel[d].values.astype(str))[panel[f"flow_{d}"].values.astype(int)]
                           for d in ("origin", "destination"))
    year = panel["year"].values[panel["flow_year"].values.astype(int)].astype(int) - int(years[0])
    witness = panel["flow_witness"].values.astype(int)
    keep = (origin >= 0) & (destination >= 0) & (year >= 0) & (year < len(years))
    if not keep.any():
        raise ArtifactError("panel.nc", "it holds no report of these territories and years",
                            "run humanflows harmonise for the profile that made the release")
    pair = (origin * len(places) + destination)[keep]
    witness, year, persons = witness[keep], year[keep], panel["flow_persons"].values[keep]
    order = np.lexsort((year, witness, pair))
    pair, witness, year, persons = (x[order] for x in (pair, witness, year, persons))
    first = np.flatnonzero(np.diff(pair, prepend=-1) | np.diff(witness, prepend=-1))
    fields = {k: panel[f"witness_{k}"].values.astype(str) for k in ("source", "reporter", "side", "criterion")}
    titles = {s: SOURCE_TITLES.get(s, s) for s in np.unique(fields["source"]).tolist()}
    about = {"digits": DIGITS, "platforms": list(PLATFORMS), "titles": titles,
             "witnesses": [dict(zip(fields, row)) for row in zip(*(v.tolist() for v in fields.values()))],
             "censored_below": {s: SOURCES[s].censored_below for s in titles
                                if s in SOURCES and SOURCES[s].censored_below},
             "colours": COLLECTION_COLOURS, "sides": {k: v[1] for k, v in SIDES.items()}}
    return Part("witnesses", about, {
        "pairs": (pair[first][None], 2), "who": (witness[first][None], 2),
        "count": (np.diff(np.append(first, len(pair)))[None], 1), "at": (year[None], 1),
        "persons": (encode(persons, DIGITS)[None], 2)})


def other_part(key: str, title: str, flow: xr.DataArray, codes) -> Part:
    """Somebody else's flows as a part: corridors with anybody, and totals by territory.

    Parameters
    ----------
    key : name of the part.
    title : as readers see it.
    flow : (year or period, origin, destination) as :func:`humanflows.results.peers.published_peers` gives them. Years
        without any number are left out. Five-year flows stay what they are; the page divides them.
    codes : territories of the page.
    """
    when = flow.dims[0]
    flow = flow.transpose(when, "origin", "destination").reindex(origin=list(codes), destination=list(codes))
    values = flow.values.astype(np.float64)
    some = np.isfinite(values).any((1, 2))
    values, years = values[some], flow[when].values[some].astype(int).tolist()
    kept = Kept(values)
    # A territory that the other leaves out has no total, rather than one of nobody; its own cell says nothing.
    off = ~np.eye(values.shape[1], dtype=bool)
    totals = {side: np.where((np.isfinite(values) & off).any(axis), np.nansum(values, axis), np.nan)
              for side, axis in (("in", 1), ("out", 2))}
    about = {"title": title, "years": years, "span": SPAN if when == "period" else 1, "digits": DIGITS,
             "learned_from": flow.attrs.get("learned_from", "")}
    return Part(key, about, {**kept.arrays, "flow": (kept.rows(encode(values, DIGITS)), 2),
                             **{k: (whole(v.T), 4) for k, v in totals.items()}})


def other_parts(peers: Mapping[str, xr.DataArray], codes) -> dict[str, list[Part]]:
    """Parts of others' estimates by group of the page's control: ``reference`` and ``abel_cohen``, as far as there are.

    The best known method of the latest vintage comes first.
    """
    found: dict[str, list[Part]] = {}
    if REFERENCE in peers:
        found["reference"] = [other_part("reference", REFERENCE, peers[REFERENCE], codes)]
    rest = sorted((k for k in peers if k != REFERENCE), key=lambda k: ("2023" not in k, "pseudo-Bayes" not in k, k))
    if rest:
        found["abel_cohen"] = [other_part(f"abel_cohen_{i}", k, peers[k], codes) for i, k in enumerate(rest, start=1)]
    return found


def gather_others(codes, years) -> tuple[dict[str, list[Part]], dict[str, str]]:
    """Parts of others' estimates whose files are on this machine, and why the others are missing, by group."""
    parts = other_parts(published_peers(years, codes, download=False), codes)
    why = "its files were not on the machine that made this page; they are their publisher's and not part of humanflows"
    return parts, {g: why for g in ("reference", "abel_cohen") if g not in parts}


def gather_witnesses(file: Path, codes, years) -> tuple[Part | None, str]:
    """The part of the witnesses from a panel's file; or None, and why."""
    if not Path(file).is_file():
        return None, ("the panel made of the source files was not on the machine that made this page (humanflows "
                      "harmonise makes it); reports are their publishers' and not part of humanflows")
    try:
        with xr.open_dataset(file, engine="netcdf4") as panel:
            return witnesses_part(panel.load(), codes, years), ""
    except ArtifactError as error:
        log.warning("the page has no points of witnesses: %s", error)
        return None, error.problem
    except (OSError, KeyError) as error:
        raise ArtifactError(file, f"not a panel ({type(error).__name__})", "run humanflows harmonise again") from error

