"""Which draws never saw which report, and the door that nothing else passes.

Five kinds of reports are held against draws:

- ``held-out corridors``: nobody's report of the corridor was seen;
- ``held-out offices``: no report of this office was seen; others', about the same corridor, may have been;
- ``held-out years``: that year's report of this office was not seen, its other years of the corridor were;
- ``last years``: no figure of that year or of a later one was seen;
- ``read reports``: they were all seen. How well draws hold them says whether errors are as large as they are taken to
  be, and nothing about what was not seen.
"""
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from ..config import Config
from ..errors import SchemaError
from ..panel.designs import hidden_observations, withheld_from
from ..panel.hidden_years import hidden_year_observations
from ..panel.publications import NEWEST_FIRST
from ..panel.splits import make_splits
from ..panel.trusted_offices import trusted_reports
from ..panel.withhold import PLATFORMS, withheld_observations
from ..results.validation import COLLECTIONS

CORRIDORS, OFFICES, YEARS, LAST_YEARS, READ_REPORTS = KINDS = (
    "held-out corridors", "held-out offices", "held-out years", "last years", "read reports")


@dataclass(frozen=True)
class HeldOut:
    """What each member never saw, and whose draws judge which kind of report.

    ``hidden``: bool (member, observation). ``kinds``: by kind, bool (member, observation); every report that is marked
    there was hidden from that member. ``corridors``: bool (member, origin, destination), of which a member could learn.
    """

    hidden: np.ndarray
    kinds: Mapping[str, np.ndarray]
    corridors: np.ndarray

    def __post_init__(self):
        """Raise SchemaError where a member is to judge what it saw."""
        for kind, mask in self.kinds.items():
            require_unseen(mask, self.hidden, kind)


def require_unseen(judged, hidden, kind: str = "reports") -> None:
    """The door: nothing is judged by draws that saw it.

    Parameters
    ----------
    judged, hidden : bool (member, observation), what is to be judged by each member's draws and what each never saw.
    kind : for the message.

    Raises
    ------
    SchemaError
        For marks of different shapes, or where a member is to judge what it saw.
    """
    judged, hidden = np.asarray(judged, dtype=bool), np.asarray(hidden, dtype=bool)
    if judged.shape != hidden.shape or judged.ndim != 2:
        raise SchemaError("coverage", f"{kind}: marks {judged.shape} beside {hidden.shape}", "mark the observations of "
                          "each member", kind)
    if (leaks := judged & ~hidden).any():
        member, observation = np.argwhere(leaks)[0]
        raise SchemaError("coverage", f"{kind}: member {member} (from 0) saw {int(leaks.sum())} of the reports that "
                          f"its draws are to be held against, the first of them observation {observation}",
                          "judge draws by what was hidden from them alone", kind)


def hold_out(panel: xr.Dataset, crossed: Sequence[Config], blind: Sequence[Config] = ()) -> HeldOut:
    """What members of the designs ``crossed`` and ``blind`` never saw.

    A member's held-out corridors are of that kind, whoever reported; reports of the offices that it did not see are of
    held-out offices on all other corridors; what is left are single years of offices that it saw.

    Parameters
    ----------
    panel : with everything.
    crossed, blind : configurations of the members, as ``panel.designs.member_config`` makes them.

    Raises
    ------
    SchemaError
        For a configuration of another design.
    """
    for design, configs in (("crossed", crossed), ("blind", blind)):
        if strange := [c.ensemble.design for c in configs if c.ensemble.design != design]:
            raise SchemaError("coverage", f"a member of design {strange[0]!r} among those of {design!r}",
                              "give the members' own configurations", design)
    at = panel["flow_origin"].values, panel["flow_destination"].values
    hidden, fold, year, corridors = [], [], [], []
    for config in (*crossed, *blind):
        splits = make_splits(panel, config.split)
        held_out = splits["held_out"].values
        single = np.zeros(panel.sizes["observation"], dtype=bool)
        if config.ensemble.design == "crossed":
            withheld = withheld_from(panel, config)
            shown = ~withheld_observations(panel, **withheld) if withheld else ~single
            single[shown] = hidden_year_observations(panel.isel(observation=shown), config.seed)
        fold.append(held_out[at])
        year.append(single)
        hidden.append(hidden_observations(panel, splits, config) | single)
        corridors.append(~held_out)
    shape = (len(hidden), panel.sizes["observation"])
    hidden, fold, year = (np.array(x, dtype=bool).reshape(shape) for x in (hidden, fold, year))
    of_crossed = (np.arange(len(hidden)) < len(crossed))[:, None]
    kinds = {CORRIDORS: of_crossed & fold & hidden, OFFICES: of_crossed & hidden & ~fold & ~year,
             YEARS: of_crossed & hidden & ~fold & year, LAST_YEARS: ~of_crossed & hidden}
    n = panel.sizes["origin"]
    return HeldOut(hidden, kinds, np.array(corridors, dtype=bool).reshape(len(hidden), n, n))


def read_everything(panel: xr.Dataset, members: int) -> HeldOut:
    """The same of members that saw everything (design ``whole``): they judge nothing but ``read reports``.

    What is hidden is empty, so ``kinds`` is too: ``judge.judge_reports`` holds read reports against draws only where it
    is told that they were read.
    """
    n = panel.sizes["origin"]
    return HeldOut(np.zeros((members, panel.sizes["observation"]), dtype=bool), {},
                   np.ones((members, n, n), dtype=bool))


def reports_to_judge(panel: xr.Dataset) -> pd.DataFrame:
    """Reports by residence, one for each office (or platform), side, year and corridor.

    Where two collections have a number of one office, that of the newer collection is taken. Reporters whose coverage
    in a collection differs from that of others (``validation.COLLECTIONS``) are left out there.

    Returns
    -------
    DataFrame: year, origin, destination, witness, observation (positions), reporter, side, platform, trusted (bool),
    observed (persons). Its attribute ``left_out`` counts by reason the reports that are not in it.
    """
    witness = panel["flow_witness"].values.astype(np.int64)
    source, reporter, side, criterion = (panel[f"witness_{k}"].values.astype(str)
                                         for k in ("source", "reporter", "side", "criterion"))
    differs = np.array([s in COLLECTIONS and r in COLLECTIONS[s].without for s, r in zip(source, reporter)], dtype=bool)
    by_residence = criterion == "residence"
    rows = np.flatnonzero((by_residence & ~differs)[witness])
    at = witness[rows]
    table = pd.DataFrame({**{k: panel[f"flow_{k}"].values[rows].astype(np.int64)
                             for k in ("year", "origin", "destination")},
                          "witness": at, "observation": rows, "reporter": reporter[at], "side": side[at],
                          "platform": np.isin(source, PLATFORMS)[at], "trusted": trusted_reports(panel)[rows],
                          "observed": panel["flow_persons"].values[rows].astype(np.float64)})
    newest = {name: k for k, name in enumerate(NEWEST_FIRST)}
    age = np.array([newest.get(s, len(newest)) for s in source])[at]
    keys = ["year", "origin", "destination", "reporter", "side", "platform"]
    kept = table.assign(age=age).sort_values(["age", "observation"], kind="stable").drop_duplicates(keys)
    kept = kept.sort_values("observation").drop(columns="age").reset_index(drop=True)
    kept.attrs["left_out"] = {
        "by citizenship or birthplace": int((~by_residence)[witness].sum()),
        "another coverage in this collection": int((by_residence & differs)[witness].sum()),
        "an older collection's number of the same office": len(table) - len(kept)}
    return kept


def patterns(mask) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Columns of bool (member, cell) by who is marked in them: positions of the members, and of the columns.

    Columns without a mark are left out.
    """
    mask = np.asarray(mask, dtype=bool)
    if not mask.any():
        return
    kinds, of = np.unique(mask.T, axis=0, return_inverse=True)
    of = of.ravel()
    for k, members in enumerate(kinds):
        if members.any():
            yield np.flatnonzero(members), np.flatnonzero(of == k)
