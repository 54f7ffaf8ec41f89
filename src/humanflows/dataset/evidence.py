"""Who spoke about a corridor in a year: a bit for every source, and what follows from it; never what they said.

``spoke`` (year, origin, destination) is kept with the release in ``sources.nc``. Its lowest bits stand for sources, by
name; two more say whether the office of the origin and that of the destination were among them. From it follow

- the class of what was ``seen``: ``A`` an office reports the corridor in this year, ``B`` in other years, ``P`` users
  of a platform are counted in this year and no office ever reports the corridor, ``C`` the office of origin or
  destination reports others, ``D`` neither does;
- the ``basis``: whether an estimate stands on a report of its year, between or beyond reported years, or on none.

An estimate in a reported year is still an estimate: the reports of two offices differ, and each undercounts.
"""
from pathlib import Path

import numpy as np

from .. import artifacts
from ..errors import ArtifactError, SchemaError
from ..results.labels import attributes_of

PLATFORMS = ("meta",)       # sources that count users of a platform; all others are offices
SEEN = ("A", "B", "C", "D", "P")
SEEN_MEANINGS = {
    "A": "an office reports this corridor in this year",
    "B": "an office reports this corridor in other years",
    "C": "no office reports this corridor, but that of its origin or destination reports others",
    "D": "neither the origin nor the destination has an office that reports flows",
    "P": "no office reports this corridor, but users of a platform are counted in this year",
}
# Classes of ``flow_evidence``, of releases of format 2, in the order of their codes, least first. The class ``X``
# stands beside those of ``SEEN`` for what only these tell apart.
EVIDENCE = ("nothing", "displaced", "other_years", "proxy", "residence")
EVIDENCE_MEANINGS = {
    "nothing": "nobody counts anybody on this corridor or on others of its offices",
    "displaced": "displaced people or users of a platform are counted on this corridor, or an office of its origin or "
                 "destination reports others",
    "other_years": "an office reports this corridor in other years",
    "proxy": "an office reports this corridor in this year, by citizenship or birthplace alone",
    "residence": "an office reports this corridor in this year, by residence",
}
LETTERS = (*SEEN, "X")
SEEN_OF_EVIDENCE = {"nothing": "D", "displaced": "C", "other_years": "B", "proxy": "X", "residence": "A"}
BASIS = ("observed", "interpolated", "extrapolated", "platform", "modelled", "proxy")
BASIS_MEANINGS = {
    "observed": "an office reports the corridor in this year",
    "interpolated": "offices report it in years before and after",
    "extrapolated": "offices report it only before, or only after",
    "platform": "no office ever does; users of a platform are counted in this year",
    "modelled": "nobody counts it in this year and no office in any",
    "proxy": "an office reports the corridor in this year, by citizenship or birthplace alone; told apart from "
             "observed by releases of format 2",
}
SIDES = ("office_of_origin", "office_of_destination")


def which_spoke(panel) -> tuple[np.ndarray, tuple[str, ...], tuple[str, ...]]:
    """Who reported each corridor-year of a panel.

    Parameters
    ----------
    panel : Dataset of :func:`humanflows.panel.harmonise.harmonise`.

    Returns
    -------
    spoke : uint8 or uint16 (year, origin, destination), a bit per source, then one for each of ``SIDES``.
    sources : names of the lowest bits, sorted.
    offices : codes of the territories whose offices report flows, sorted.

    Raises
    ------
    SchemaError
        For more than 14 sources, which is more than the bits there are.
    """
    year, origin, destination, witness = (panel[f"flow_{k}"].values.astype(int)
                                          for k in ("year", "origin", "destination", "witness"))
    source, reporter = (panel[f"witness_{k}"].values.astype(str)[witness] for k in ("source", "reporter"))
    sources = tuple(np.unique(source).tolist())
    if len(sources) + len(SIDES) > 16:
        raise SchemaError("panel", f"{len(sources)} sources", "widen the mask of evidence.py", key="witness_source")
    codes = panel["origin"].values.astype(str)
    bit = np.searchsorted(sources, source)
    mask = (1 << bit) | ((reporter == codes[origin]) << len(sources)) \
        | ((reporter == codes[destination]) << (len(sources) + 1))
    spoke = np.zeros((panel.sizes["year"], len(codes), len(codes)), np.uint16)
    np.bitwise_or.at(spoke, (year, origin, destination), mask.astype(np.uint16))
    offices = tuple(np.unique(reporter[np.isin(reporter, codes)]).tolist())
    return (spoke.astype(np.uint8) if len(sources) + len(SIDES) <= 8 else spoke), sources, offices


def write_sources(panel, target: Path, *, profile: str = "world") -> Path:
    """Write ``sources.nc`` of a profile's release: :func:`which_spoke` and nothing else."""
    import xarray as xr

    spoke, sources, offices = which_spoke(panel)
    codes = panel["origin"].values.astype(str)
    about = describe_mask(sources, offices, spoke.dtype)
    dataset = xr.Dataset({"spoke": (("year", "origin", "destination"), spoke, about)},
                         coords={"year": panel["year"].values, "origin": codes, "destination": codes},
                         attrs={"Conventions": "CF-1.11", "title": "Which sources report a corridor in a year",
                                "licence": "CC BY 4.0", "creator": "humanflows", **attributes_of(profile)})
    return artifacts.write_netcdf(dataset, target, compress=9)


def describe_mask(sources: tuple[str, ...], offices: tuple[str, ...], dtype) -> dict:
    """Attributes of ``spoke`` after the CF conventions: independent flags, each a bit."""
    names = (*sources, *SIDES)
    return {"long_name": "sources that report this corridor in this year", "valid_min": np.array(0, dtype)[()],
            "flag_masks": np.array([1 << k for k in range(len(names))], dtype), "flag_meanings": " ".join(names),
            "platforms": " ".join(s for s in sources if s in PLATFORMS), "offices": " ".join(offices),
            "comment": "a bit per source; what the sources say is theirs and is not part of this file"}


class Evidence:
    """What follows from who spoke.

    Parameters
    ----------
    spoke : (year, origin, destination) with the attributes of :func:`describe_mask`.
    about : these attributes.
    codes : territories.
    seen, seen_about : classes as the release has them, with their CF flags; they are worked out here where it has none.
    evidence, evidence_about : classes ``EVIDENCE``, which releases of format 2 have in their place, with their flags.

    Raises
    ------
    ArtifactError
        For a mask or classes whose meaning is not told.
    """

    def __init__(self, spoke: np.ndarray, about: dict, codes: tuple[str, ...], seen: np.ndarray | None = None,
                 seen_about: dict | None = None, evidence: np.ndarray | None = None,
                 evidence_about: dict | None = None):
        names = str(about.get("flag_meanings", "")).split()
        if tuple(names[-2:]) != SIDES or len(names) < 3:
            raise ArtifactError("sources.nc", "the bits of spoke have no meaning", "take the file of the same release",
                                key="flag_meanings")
        platforms = str(about.get("platforms", "")).split()
        if len(names) > 8 * spoke.dtype.itemsize or len(set(names)) != len(names) or set(platforms) - set(names[:-2]):
            raise ArtifactError("sources.nc", "the bits of spoke do not fit its sources", "take the file of the same "
                                "release", key="flag_meanings")
        self.spoke, self.sources = spoke, tuple(names[:-2])
        self._platform = self._bits(platforms)
        self._office = self._bits(self.sources) & ~self._platform
        offices = set(str(about.get("offices", "")).split())
        self._has_office = np.array([c in offices for c in codes])
        self.by_office = (spoke & self._office) != 0                   # (year, origin, destination)
        self._letters = None if seen is None else _letters(seen_about or {})
        self._seen = seen
        if seen is not None and seen.size and int(seen.max()) >= len(self._letters):
            raise ArtifactError("flows.nc", f"seen is {int(seen.max())}, which has no meaning",
                                "take the file of the same release", key="flow_seen")
        self._of_evidence = None
        if evidence is not None:
            code = _codes(evidence_about or {}, evidence)
            self._of_evidence = np.array([LETTERS.index(SEEN_OF_EVIDENCE[e]) for e in EVIDENCE], np.int8)
            self._evidence, self._code = evidence, code
        # Whether an office spoke in the year or before, and in the year or after.
        self._before = np.logical_or.accumulate(self.by_office, axis=0)
        self._after = np.logical_or.accumulate(self.by_office[::-1], axis=0)[::-1]

    def _bits(self, names) -> int:
        return sum(1 << self.sources.index(n) for n in names)

    def seen(self, *index) -> np.ndarray:
        """Class of what was seen, codes of ``LETTERS``, of corridor-years of an index (year, origin, destination)."""
        if self._of_evidence is not None:
            return self._of_evidence[self.evidence(*index)]
        if self._seen is not None:
            return self._letters[self._seen[index].astype(int)]
        _, o, d = index
        ever = self.by_office.any(0)[o, d]
        near = (self._has_office[:, None] | self._has_office)[o, d]
        here = self.by_office[index]
        counted = (self.spoke[index] & self._platform) != 0
        return np.select([here, np.broadcast_to(ever, here.shape), counted, np.broadcast_to(near, here.shape)],
                         [0, 1, 4, 2], 3).astype(np.int8)

    @property
    def told(self) -> bool:
        """Whether the release has the classes ``EVIDENCE``."""
        return self._of_evidence is not None

    def evidence(self, *index) -> np.ndarray:
        """Codes of ``EVIDENCE`` of the corridor-years of an index, of a release that has them."""
        return self._code[self._evidence[index].astype(int)]

    def basis(self, *index) -> np.ndarray:
        """Codes of ``BASIS`` of the corridor-years of an index (year, origin, destination)."""
        y, o, d = index
        before, after = self._before[y, o, d], self._after[y, o, d]
        counted = (self.spoke[y, o, d] & self._platform) != 0
        proxy, here = False, self.by_office[y, o, d]
        if self.told:
            given = self.evidence(y, o, d)
            proxy, here = given == EVIDENCE.index("proxy"), given == EVIDENCE.index("residence")
        return np.select([np.broadcast_to(proxy, np.shape(here)), here, before & after, before | after, counted],
                         [5, 0, 1, 2, 3], 4).astype(np.int8)

    def names_of(self, masks: np.ndarray) -> np.ndarray:
        """The sources of each mask as text, ``"eurostat;oecd"``, empty for none."""
        kinds, of = np.unique(masks, return_inverse=True)
        texts = [";".join(s for k, s in enumerate(self.sources) if int(m) >> k & 1) for m in kinds]
        return np.array(texts, dtype=object)[of].reshape(np.shape(masks))


def _codes(about: dict, stored: np.ndarray) -> np.ndarray:
    """Codes of ``EVIDENCE`` by the stored number, from CF flags."""
    meanings = str(about.get("flag_meanings", "")).split()
    values = np.atleast_1d(about.get("flag_values", np.zeros(0, int)))
    remedy = "take the file of the same release"
    if sorted(meanings) != sorted(EVIDENCE) or values.dtype.kind not in "iu" or len(set(values.tolist())) \
            != len(meanings) or len(values) != len(meanings) or values.min() < 0 or values.max() > 127:
        raise ArtifactError("flows.nc", f"flow_evidence has the meanings {meanings}", f"expected {' '.join(EVIDENCE)}; "
                            f"{remedy}", key="flow_evidence")
    table = np.full(128, -1, np.int8)
    table[values.astype(int)] = [EVIDENCE.index(m) for m in meanings]
    there = np.unique(stored).astype(int)
    if (table[there] < 0).any():
        raise ArtifactError("flows.nc", f"flow_evidence is {there[table[there] < 0][0]}, which has no meaning", remedy,
                            key="flow_evidence")
    return table


def _letters(about: dict) -> np.ndarray:
    """Codes of ``SEEN`` by the stored number, from CF flags; stored numbers are taken for these codes without them."""
    meanings = str(about.get("flag_meanings", "")).split()
    letters = [m[0].upper() for m in meanings] or list(SEEN)
    values = np.atleast_1d(about.get("flag_values", np.arange(len(letters))))
    values = values.astype(int) if values.dtype.kind in "iu" else np.zeros(0, int)
    if len(values) != len(letters) or set(letters) - set(SEEN) or values.min() < 0 or values.max() > 127:
        raise ArtifactError("flows.nc", f"seen has the meanings {meanings}", f"expected {' '.join(SEEN)}", key="seen")
    table = np.full(values.max() + 1, SEEN.index("D"), np.int8)
    table[values] = [SEEN.index(x) for x in letters]
    return table
