"""What ties two territories and hardly changes: distance, language, religion, colonial past, a common border."""
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import SchemaError, SourceFileError
from ..schema import validate
from ..territories import check_codes, codes
from .cells import AGAIN, numbers, refuse_repeats
from .netcdf_io import read_pairs
from .omissions import OUTSIDE as OUTSIDE_TERRITORIES
from .omissions import SAME_TERRITORY, Omissions
from .rdata_io import read_frame

FILES = {"dist.nc": ("distw_harmonic", "distance"), "lang.nc": ("csl", "common_language"),
         "relig.nc": ("Religious similarity", "religious_similarity"),
         "col.nc": ("colony_of_destination_ever", "colonial_tie")}
# CEPII's older codes. Its ANT, YUG and four small islands have no counterpart among the 231.
RENAMED = {"ROM": "ROU", "ZAR": "COD", "TMP": "TLS", "PAL": "PSE"}
OUTSIDE = frozenset({"ANT", "YUG", "CCK", "CXR", "NFK", "PCN"})
# Land borders of territories that CEPII's list of 2011 lacks. Those not named here (ASM BES CUW GUM IMN MYT SXM VIR)
# are islands or share one with nobody of the 231. Kosovo is outside, so Serbia does not reach Albania.
BORDERS = {"SRB": ("BGR", "BIH", "HRV", "HUN", "MKD", "MNE", "ROU"), "MNE": ("ALB", "BIH", "HRV", "SRB"),
           "SSD": ("CAF", "COD", "ETH", "KEN", "SDN", "UGA"), "LIE": ("AUT", "CHE"), "MCO": ("FRA",)}
# Sudan's borders that are South Sudan's: the populations here are those of today's territories in every year.
CEDED = (("SDN", "COD"), ("SDN", "KEN"), ("SDN", "UGA"))


def read_gravity(paths: Mapping[str, Path], *, omitted: Omissions | None = None) -> pd.DataFrame:
    """The five pair variables for all 53,130 ordered pairs.

    Parameters
    ----------
    paths : file by name: ``dist.nc``, ``lang.nc``, ``relig.nc``, ``col.nc``, ``dist_cepii.rda``.

    Returns
    -------
    Table ``pair``: distance (km), common_language, religious_similarity (indices above 0), colonial_tie (1 where the
    origin was ever a colony of the destination), contiguity (1 or 0).

    Raises
    ------
    SourceFileError, SchemaError, UnknownTerritoryError, NegativeCountError, DuplicateKeyError
    """
    absent = [name for name in (*FILES, "dist_cepii.rda") if name not in paths]
    if absent:
        raise SourceFileError(absent[0], "file of the pair variables not given", "fetch gaskin_abel/inputs and "
                              "cepii_geodist")
    omitted = Omissions() if omitted is None else omitted
    parts = [read_pairs(paths[name], "gravity", theirs, ours, omitted=omitted)
             for name, (theirs, ours) in FILES.items()]
    return pd.concat([*parts, _contiguity(paths["dist_cepii.rda"], omitted)], ignore_index=True)


def _contiguity(path: Path, omitted: Omissions) -> pd.DataFrame:
    raw = read_frame(path, "dist_cepii", ["iso_o", "iso_d", "contig"])
    raw = raw.assign(origin=raw["iso_o"].replace(RENAMED), destination=raw["iso_d"].replace(RENAMED))
    inside = check_codes(raw["origin"], file=path, outside=OUTSIDE) & check_codes(raw["destination"], file=path,
                                                                                  outside=OUTSIDE)
    touching = numbers(raw["contig"], file=path)
    odd = inside & ~touching.isin([0, 1])
    if odd.any():
        raise SchemaError(path, f"contig is {touching[odd.idxmax()]}, expected 0 or 1", AGAIN,
                          key=f"row {odd.idxmax()}")
    raw = omitted.keep(raw, inside, OUTSIDE_TERRITORIES, persons=None, year=None)
    refuse_repeats(raw, ["origin", "destination"], file=path)
    raw = omitted.keep(raw, raw["origin"] != raw["destination"], SAME_TERRITORY, persons=None, year=None)
    raw = raw[touching[raw.index] == 1]     # the others share no border, which is kept, as a zero: every pair is there
    position = {code: i for i, code in enumerate(codes())}
    touches = np.zeros((len(position), len(position)))
    touches[raw["origin"].map(position), raw["destination"].map(position)] = 1
    for a, others in BORDERS.items():
        for b in others:
            touches[position[a], position[b]] = touches[position[b], position[a]] = 1
    for a, b in CEDED:
        touches[position[a], position[b]] = touches[position[b], position[a]] = 0
    np.fill_diagonal(touches, np.nan)
    frame = pd.DataFrame(touches, index=list(position), columns=list(position)).rename_axis("origin")
    frame = frame.melt(ignore_index=False, var_name="destination").dropna().reset_index()
    return validate(frame.assign(source="gravity", variable="contiguity"), "pair", file=path)
