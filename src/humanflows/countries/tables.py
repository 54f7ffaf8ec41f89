"""Everything that a page says, as numbers: one territory's part of a release, worked out once and only here."""
import csv
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from .. import artifacts
from ..dataset import grades, names
from ..dataset.answers import Answers
from ..dataset.evidence import BASIS
from ..errors import ArtifactError

LARGEST = 10        # corridors of a side that a page lists
GROUPS = 5          # birthplaces, and residences, that a page tells apart
ARRIVALS, DEPARTURES = SIDES = ("arrivals", "departures")
# Who spoke about a flow: the basis of the dataset, with reports of the same year told apart by whose they are.
PROVENANCE = ("both offices", "the destination's office", "the origin's office", "neighbouring years", "a platform",
              "nobody")
PROVENANCE_MEANINGS = {
    "both offices": "the offices of origin and destination report the corridor for this year",
    "the destination's office": "only the destination's office reports it for this year",
    "the origin's office": "only the origin's office reports it for this year",
    "neighbouring years": "offices report it in other years",
    "a platform": "no office ever does, but users of a platform are counted in this year",
    "nobody": "nobody counts it in this year, and no office in any",
}


@dataclass(frozen=True)
class Corridor:
    """One corridor of the latest year; what the release does not hold is NaN or empty."""

    code: str           # of the other territory
    name: str
    flow: float         # persons
    lower: float
    upper: float
    share: float        # of all arrivals, or departures
    basis: str
    grade: str
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Groups:
    """People by birthplace or residence: the largest of the last date apart, the others together."""

    dates: list[int]                # of each 1 January
    codes: list[str]                # largest first
    names: list[str]
    values: np.ndarray              # persons (group, date)
    others: np.ndarray              # persons (date,)
    lower: list[float]              # 95% interval of the groups on the last date; NaN where the release has none
    upper: list[float]

    @property
    def total(self) -> np.ndarray:
        """Persons (date,)."""
        return self.values.sum(0) + self.others


@dataclass(frozen=True)
class Reports:
    """Who reports the moves of a territory; years in which they do."""

    own: dict[str, list[int]]       # by side, the territory's own office
    others: dict[str, list[int]]    # by side, offices elsewhere
    partners: dict[str, int]        # by side, offices elsewhere that ever report
    never: dict[str, Corridor | None]       # by side, the largest corridor of the latest year that nobody counts


@dataclass(frozen=True)
class Country:
    """What the release says of one territory."""

    code: str
    name: str
    region: str
    years: list[int]
    totals: dict[str, np.ndarray]           # (year,): arrivals, departures, net; each with _lower and _upper if any
    corridors: dict[str, list[Corridor]]    # by side, the largest of the latest year
    partners: dict[str, int]                # by side, corridors with anybody in the latest year
    born_elsewhere: Groups                  # residents by birthplace
    living_elsewhere: Groups                # people born here by residence
    provenance: dict[str, np.ndarray]       # by side, shares (PROVENANCE, year); empty where nothing is known
    graded: dict[str, np.ndarray]           # by side, shares (grade, year); empty likewise
    typical: str                            # grade that half of those who moved in the latest year have, or better
    reports: Reports | None

    @property
    def known(self) -> bool:
        """Whether the release says who spoke."""
        return bool(self.provenance)

    @property
    def intervals(self) -> bool:
        """Whether its flows have intervals."""
        return any(c.upper == c.upper for side in SIDES for c in self.corridors[side])

    def ends(self, what: str, t: int = -1) -> tuple[float, float]:
        """95% interval of a total in a year; NaN where the release has none."""
        return tuple(float(self.totals[f"{what}_{e}"][t]) if f"{what}_{e}" in self.totals else float("nan")
                     for e in ("lower", "upper"))


def describe(answers: Answers, code: str) -> Country:
    """Take a territory's page out of a release.

    Parameters
    ----------
    answers : to a release or package, see :func:`humanflows.dataset.open_estimates`.
    code : alpha-3 code.

    Raises
    ------
    ArtifactError
        When a file of the release is damaged or not the one listed.
    """
    k = answers.store.position[code]
    flow = answers.store.array("flow")
    provenance, graded = ({s: _shares(answers, k, s, of) for s in SIDES} if answers.evidence else {}
                          for of in (_who_spoke, _grades))
    return Country(
        code=code, name=names.name(code), region=names.region(code), years=list(answers.years),
        totals=_totals(answers, code), corridors={s: _largest(answers, code, s) for s in SIDES},
        partners={s: int((_of(flow, k, s)[-1] > 0).sum()) for s in SIDES},
        born_elsewhere=_groups(answers, k, "residence"), living_elsewhere=_groups(answers, k, "birthplace"),
        provenance=provenance, graded=graded, typical=_typical(answers, k), reports=_reports(answers, k))


def _of(array: np.ndarray, k: int, side: str) -> np.ndarray:
    """A territory's corridors of one side (year, other)."""
    return array[:, :, k] if side == ARRIVALS else array[:, k]


def _index(answers: Answers, k: int, side: str, years=None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    t, other = (x.ravel() for x in np.meshgrid(np.arange(len(answers.years)) if years is None else years,
                                               np.arange(len(answers.codes)), indexing="ij"))
    here = np.full_like(t, k)
    return (t, other, here) if side == ARRIVALS else (t, here, other)


def _totals(answers: Answers, code: str) -> dict[str, np.ndarray]:
    net = answers.net(code)
    out = {"arrivals": net["inflow"], "departures": net["outflow"], "net": net["net_migration"].astype(np.float64)}
    out |= {f"net_{e}": net[f"net_migration_{e}"].astype(np.float64) for e in ("lower", "upper")
            if f"net_migration_{e}" in net}
    ends = total_ends(answers.store.folder, answers.store.manifest["files"].get("sums.csv"))
    for side in SIDES:
        rows = [ends.get((side, code, y), (np.nan, np.nan)) for y in answers.years] if ends else []
        out |= {f"{side}_{e}": np.array([r[j] for r in rows]) for j, e in enumerate(("lower", "upper")) if rows}
    return out


@cache
def total_ends(folder: Path, listed: str | None = None) -> dict[tuple[str, str, int], tuple[float, float]]:
    """95% intervals of arrivals and departures by side, territory and year, from ``sums.csv``; empty without it.

    ``listed`` is the file's digest in the release's manifest, which is opened where it is not given.

    Raises
    ------
    ArtifactError
        When the file is not the one that the release's manifest lists, or has other columns.
    """
    file = Path(folder) / "sums.csv"
    if not file.is_file():
        return {}
    if artifacts.sha256(file) != (listed or _listed(folder).get(file.name)):
        raise ArtifactError(file, "not the version that the release's manifest lists",
                            "restore data/release from the repository, or make the release again", key=file.name)
    out = {}
    with open(file, encoding="utf-8", newline="") as handle:
        try:
            for row in csv.DictReader(handle):
                side, code = {"into": (ARRIVALS, row["destination"]), "out of": (DEPARTURES, row["origin"])}.get(
                    row["total"], ("", ""))
                if side:
                    lower, upper = float(row["lower"]), float(row["upper"])
                    if not 0 <= lower <= upper < math.inf or (side, code, int(row["year"])) in out:
                        raise ValueError(f"{lower} to {upper} in {row['year']}")
                    out[side, code, int(row["year"])] = lower, upper
        except (KeyError, TypeError, ValueError, csv.Error) as error:
            raise ArtifactError(file, f"not a table of totals ({error})", "make the release again") from error
    return out


def _listed(folder: Path) -> dict:
    from ..dataset.files import Store

    return Store(folder).manifest["files"]


def _largest(answers: Answers, code: str, side: str) -> list[Corridor]:
    top = answers.top("inflow" if side == ARRIVALS else "outflow", code, answers.years[-1], LARGEST)
    other = top["origin" if side == ARRIVALS else "destination"]
    none = np.full(len(other), np.nan)
    texts = {n: top.get(n, np.full(len(other), "", dtype=object)) for n in ("basis", "grade", "sources")}
    columns = zip(other, top["flow"], top.get("flow_lower", none), top.get("flow_upper", none), top["share"],
                  texts["basis"], texts["grade"], texts["sources"])
    return [Corridor(str(c), names.name(str(c)), float(f), float(lo), float(up), float(share), str(basis), str(grade),
                     tuple(s for s in str(sources).split(";") if s))
            for c, f, lo, up, share, basis, grade, sources in columns]


def _groups(answers: Answers, k: int, dim: str) -> Groups:
    """Residents by birthplace (``dim`` residence), or those born here by residence (``dim`` birthplace)."""
    store = answers.store
    stock = store.array("stock")
    people = np.array(stock[:, :, k] if dim == "residence" else stock[:, k], dtype=np.float64)    # (date, other)
    people[:, k] = 0.0
    order = np.argsort(-people[-1], kind="stable")[:GROUPS]
    order = order[people[-1, order] > 0]
    ends = []
    for end in ("lower", "upper"):
        values = store.array(f"stock_{end}")[-1] if store.has(f"stock_{end}") else None
        ends.append([float("nan") if values is None else float(values[o, k] if dim == "residence" else values[k, o])
                     for o in order])
    codes = [answers.codes[o] for o in order]
    return Groups(list(store.dates), codes, [names.name(c) for c in codes], people[:, order].T,
                  people.sum(1) - people[:, order].sum(1), *ends)


def _who_spoke(answers: Answers, index) -> np.ndarray:
    """Positions in ``PROVENANCE`` of corridor-years."""
    evidence = answers.evidence
    basis = evidence.basis(*index)
    origin, destination = ((evidence.spoke[index] >> (len(evidence.sources) + side)) & 1 for side in (0, 1))
    observed = basis == BASIS.index("observed")
    # A report whose side is not told counts as the destination's, where people are counted as a rule.
    return np.select([observed & (origin == 1) & (destination == 1), observed & (origin == 1), observed,
                      basis <= BASIS.index("extrapolated"), basis == BASIS.index("platform")],
                     [0, 2, 1, 3, 4], PROVENANCE.index("nobody"))


def _grades(answers: Answers, index) -> np.ndarray:
    """Positions in ``grades.GRADES`` of corridor-years."""
    store = answers.store
    ends = [store.array(f"flow_{e}")[index] for e in ("lower", "upper")] if answers.intervals else (None, None)
    spread = store.array("flow_spread")[index] if store.has("flow_spread") else None
    return grades.grade(answers.evidence.seen(*index), *ends, spread)


def _shares(answers: Answers, k: int, side: str, kinds_of) -> np.ndarray:
    """Shares of those who moved, by kind and year; all zero in a year in which nobody did."""
    number = len(PROVENANCE) if kinds_of is _who_spoke else len(grades.GRADES)
    index = _index(answers, k, side)
    flow = answers.store.array("flow")[index].astype(np.float64)
    sums = np.zeros((number, len(answers.years)))
    np.add.at(sums, (kinds_of(answers, index), index[0]), flow)
    total = sums.sum(0)
    return sums / np.where(total > 0, total, 1.0)


def _typical(answers: Answers, k: int) -> str:
    """The grade that half of those who came or left in the latest year have, or a better one; empty without grades."""
    if not answers.evidence:
        return ""
    sums = np.zeros(len(grades.GRADES))
    for side in SIDES:
        index = _index(answers, k, side, years=[len(answers.years) - 1])
        np.add.at(sums, _grades(answers, index), answers.store.array("flow")[index].astype(np.float64))
    if not sums.sum():
        return ""
    return grades.GRADES[int(np.searchsorted(np.cumsum(sums), 0.5 * sums.sum()))]


def _reports(answers: Answers, k: int) -> Reports | None:
    evidence = answers.evidence
    if not evidence:
        return None
    years = np.array(answers.years)
    own, others, partners, never = {}, {}, {}, {}
    for side in SIDES:
        spoke, office = _of(evidence.spoke, k, side), _of(evidence.by_office, k, side)
        bits = [((spoke >> (len(evidence.sources) + b)) & 1 == 1) & office for b in (0, 1)]
        # The territory is the destination of arrivals and the origin of departures.
        mine, theirs = bits[::-1] if side == ARRIVALS else bits
        own[side], others[side] = (years[x.any(1)].tolist() for x in (mine, theirs))
        partners[side] = int(theirs.any(0).sum())
        never[side] = _largest_uncounted(answers, k, side)
    return Reports(own, others, partners, never)


def _largest_uncounted(answers: Answers, k: int, side: str) -> Corridor | None:
    t = len(answers.years) - 1
    index = _index(answers, k, side, years=[t])
    flow = np.where(answers.evidence.basis(*index) == BASIS.index("modelled"),
                    answers.store.array("flow")[index], 0.0)
    at = int(np.argmax(flow))
    if not flow[at] > 0:
        return None
    code = answers.codes[at]
    return Corridor(code, names.name(code), float(flow[at]), np.nan, np.nan, np.nan, "modelled", "", ())
