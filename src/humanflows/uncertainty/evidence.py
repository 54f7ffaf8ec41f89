"""What is known of a corridor in a year: classes of evidence, for every corridor and year.

The classes, from most to least:

- ``reported by residence``: an office reports the flow of this year by country of previous or next residence;
- ``reported by citizenship or birthplace``: in this year offices report arrivals or departures of the origin's (or the
  destination's) citizens or natives alone: they may come from anywhere, so the flow is not observed;
- ``other years``: an office reports the corridor, by any criterion, but not in this year;
- ``indirect``: no office ever reports the corridor, but displaced people are counted on it in this year; or a platform
  (Meta) counts its users on it in any year, or covers both places in this year and shows nothing, which says that it
  would count fewer than its limit; or the office of the origin or the destination reports other corridors;
- ``nothing``: none of these.

A platform's count is not a report. It is modelled from the places of users, weighted to populations that the platform
does not show and blurred by noise, and nobody answers for it by law: a corridor that nothing but a platform counts
stays ``indirect``, in the year as in others. ``flags`` keep apart what makes a corridor's evidence indirect.
"""
from dataclasses import dataclass

import numpy as np
import xarray as xr

from ..errors import SchemaError
from ..model.privacy_noise import CENSORED_BELOW
from ..model.recursion import DISPLACED_FROM
from ..panel.reported_totals import displaced_moves
from ..panel.withhold import PLATFORMS

NOTHING, INDIRECT, OTHER_YEARS, PROXY, RESIDENCE = range(5)
NAMES = ("nothing", "indirect", "other years", "reported by citizenship or birthplace", "reported by residence")
FLAGS = {"residence": 1, "proxy": 2, "other_years": 4, "displaced": 8, "platform": 16, "platform_other_years": 32,
         "suppressed": 64, "other_corridors": 128}


@dataclass(frozen=True)
class Evidence:
    """What is known, arrays (year, origin, destination).

    ``code``: int8, position in ``NAMES``; ``NOTHING`` on the diagonal. ``flags``: uint8, sum of ``FLAGS``.
    """

    code: np.ndarray
    flags: np.ndarray

    def has(self, flag: str) -> np.ndarray:
        """Where a flag is up, bool (year, origin, destination)."""
        return (self.flags & FLAGS[flag]) != 0


def classify_evidence(panel: xr.Dataset, visible: np.ndarray | None = None,
                      corridors: np.ndarray | None = None) -> Evidence:
    """Classes of evidence for somebody who saw these reports.

    Parameters
    ----------
    panel : with everything.
    visible : bool (observation,), the reports that were seen; all by default.
    corridors : bool (origin, destination), of which displaced people and suppressed counts could be learned from; all
        by default. Of corridors that were held out a member learns neither.

    Raises
    ------
    SchemaError
        For marks of another shape.
    """
    n, years = panel.sizes["origin"], panel.sizes["year"]
    visible = np.ones(panel.sizes["observation"], dtype=bool) if visible is None else np.asarray(visible, dtype=bool)
    corridors = np.ones((n, n), dtype=bool) if corridors is None else np.asarray(corridors, dtype=bool)
    if visible.shape != (panel.sizes["observation"],) or corridors.shape != (n, n):
        raise SchemaError("evidence", f"{visible.shape} marks of {panel.sizes['observation']} observations, "
                          f"{corridors.shape} of {n} territories", "mark every observation and every corridor")
    witness = panel["flow_witness"].values.astype(np.int64)
    platform = np.isin(panel["witness_source"].values.astype(str), PLATFORMS)[witness]
    residence = (panel["witness_criterion"].values.astype(str) == "residence")[witness]
    by_residence = _mark(panel, visible & ~platform & residence)
    by_proxy = _mark(panel, visible & ~platform & ~residence)
    counted = _mark(panel, visible & platform)
    office = by_residence | by_proxy
    # An office is asked of both of its sides: who reports arrivals alone still says what people there do.
    places = panel.get_index("origin").get_indexer(panel["witness_reporter"].values.astype(str))[witness]
    reports = np.zeros(n, dtype=bool)
    reports[places[visible & ~platform & (places >= 0)]] = True
    shown = panel.isel(observation=visible)
    displaced = (displaced_moves(shown) > DISPLACED_FROM) & corridors if "displaced_flow" in panel \
        else np.zeros((years, n, n), dtype=bool)
    marks = {"residence": by_residence, "proxy": by_proxy, "other_years": office.any(0) & ~office,
             "displaced": displaced, "platform": counted, "platform_other_years": counted.any(0) & ~counted,
             "suppressed": _suppressed(panel, visible) & corridors,
             "other_corridors": np.broadcast_to(reports[:, None] | reports, (years, n, n))}
    flags = np.zeros((years, n, n), dtype=np.uint8)
    diagonal = np.arange(n)
    for name, bit in FLAGS.items():
        flags[marks[name]] |= bit
    flags[:, diagonal, diagonal] = 0
    indirect = sum(FLAGS[k] for k in ("displaced", "platform", "platform_other_years", "suppressed",
                                      "other_corridors"))
    tests = [(flags & bits) != 0 for bits in (FLAGS["residence"], FLAGS["proxy"], FLAGS["other_years"], indirect)]
    code = np.select(tests, [RESIDENCE, PROXY, OTHER_YEARS, INDIRECT], NOTHING).astype(np.int8)
    return Evidence(code, flags)


def _mark(panel: xr.Dataset, chosen: np.ndarray) -> np.ndarray:
    table = np.zeros(tuple(panel.sizes[k] for k in ("year", "origin", "destination")), dtype=bool)
    table[tuple(panel[f"flow_{k}"].values[chosen].astype(np.int64) for k in ("year", "origin", "destination"))] = True
    return table


def _suppressed(panel: xr.Dataset, visible: np.ndarray) -> np.ndarray:
    """Corridors that a platform leaves out though it covers both places in the year, bool (year, origin, destination).

    Those that it shows, and that were not seen, are not suppressed: whether they are was not seen either.
    """
    table = np.zeros(tuple(panel.sizes[k] for k in ("year", "origin", "destination")), dtype=bool)
    of_source = panel["witness_source"].values.astype(str)[panel["flow_witness"].values.astype(np.int64)]
    for source in CENSORED_BELOW:
        here = of_source == source
        seen, ever = _mark(panel, here & visible), _mark(panel, here)
        table |= seen.any(2)[:, :, None] & seen.any(1)[:, None, :] & ~ever
    return table
