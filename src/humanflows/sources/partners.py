"""From a source's labels to tables: which label is a territory, which a margin, and which is counted and left out.

A frame of reports has one row for each number of the source: ``row`` (its line in the file, or words for where it
stands), ``label`` (of the partner, as the source writes it), ``year`` and the number.
"""
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ..errors import DuplicateKeyError, NegativeCountError, SchemaError
from ..schema import empty, validate
from ..territories import check_codes
from .names import precedes_partner, resolve_names
from .omissions import BEFORE_PARTNER, NO_NUMBER, OWN, Omissions

_SERIES = ["reporter", "side", "criterion", "label"]
_SCALED = 1000        # what a number in thousands differs by
_NEAR = 3.0           # neighbours within this factor of each other belong to one steady series
_LARGE = 1000.0       # of two numbers that are compared the larger has at least this: small ones differ by chance
_ENOUGH = 5           # series that tell whether a whole year is out of scale


@dataclass(frozen=True)
class Labels:
    """What the labels of a source mean, beyond the names of territories that `names.resolve_names` knows.

    Attributes
    ----------
    names : label to code, where a name is written in a way of its own.
    groups : label to group of a margin (``total``, ``others``, ``unknown``, ``stateless``).
    left_out : label to the reason for which its rows are left out.
    coded : labels are alpha-3 codes, not names.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    coded: bool = False

    def codes(self, frame: pd.DataFrame, *, file) -> pd.Series:
        """Alpha-3 code of each row's label; missing for margins and for labels that are left out.

        Raises
        ------
        UnknownTerritoryError
            For a label that is none of these, with its row.
        """
        told = {**dict.fromkeys(self.groups), **dict.fromkeys(self.left_out)}
        if self.coded:
            check_codes(frame["label"].set_axis(frame["row"]), file=file, outside=frozenset(told))
            return frame["label"].where(~frame["label"].isin(told))
        return frame["label"].map(resolve_names(frame["label"], file=file, exceptions={**self.names, **told},
                                                where=lambda position: _at(frame.iloc[position])))


def reported_flows(frame: pd.DataFrame, labels: Labels, *, source: str, file, omitted: Omissions) -> dict:
    """Tables ``flow`` and ``margin`` of a frame of reports.

    Parameters
    ----------
    frame : columns ``row, label, reporter, side, criterion, year, persons``; a missing number is unreported. Several
        labels of one territory, or of one group, are parts of it and summed.
    labels : what the labels mean.
    source : name of the source in the catalogue.
    file : what to name in errors.
    omitted : counts what becomes no row.

    Returns
    -------
    ``{"flow": …, "margin": …}``. The reporter among its own partners is the margin ``own``, but by residence, where it
    is no migrant.

    Raises
    ------
    UnknownTerritoryError, NegativeCountError, DuplicateKeyError, SchemaError
        Naming the row; the last also for numbers that are out of scale by a thousand.
    """
    check_rows(frame, "persons", [*_SERIES, "year"], file)
    check_scale(frame, file=file)
    partner = labels.codes(frame, file=file)
    frame = omitted.keep(frame.assign(partner=partner, group=frame["label"].map(labels.groups)),
                         frame["persons"].notna(), NO_NUMBER)
    frame = omitted.keep(frame, ~frame["label"].isin(labels.left_out), frame["label"].map(labels.left_out))
    own = frame["partner"] == frame["reporter"]
    frame = omitted.keep(frame, ~(own & (frame["criterion"] == "residence")), OWN)
    frame = frame.assign(group=frame["group"].mask(frame["partner"] == frame["reporter"], "own"))
    apart = frame["group"].isna()
    return {"flow": flow_table(frame[apart], source=source, file=file, omitted=omitted),
            "margin": margin_table(frame[~apart], source=source, file=file)}


def flow_table(frame: pd.DataFrame, *, source: str, file, omitted: Omissions) -> pd.DataFrame:
    """Table ``flow`` from ``reporter, partner, side, criterion, year, persons``: movements, partner by partner.

    The partner is put where a residence would stand, also where it is a citizenship or a birthplace.
    """
    if frame.empty:
        return empty("flow")
    key = ["reporter", "side", "criterion", "year", "partner"]
    frame = frame.groupby(key, as_index=False, sort=False)["persons"].sum()
    frame = omitted.keep(frame, ~precedes_partner(frame["partner"], frame["year"], frame["persons"]), BEFORE_PARTNER)
    arrives = frame["side"] == "immigration"
    return validate(pd.DataFrame({
        "source": source, "reporter": frame["reporter"], "side": frame["side"], "criterion": frame["criterion"],
        "flow_type": "movement", "year": frame["year"],
        "origin": frame["partner"].where(arrives, frame["reporter"]),
        "destination": frame["reporter"].where(arrives, frame["partner"]), "persons": frame["persons"]}),
        "flow", file=file)


def margin_table(frame: pd.DataFrame, *, source: str, file, quantity: str = "flow") -> pd.DataFrame:
    """Table ``margin`` from ``reporter, group, side, criterion, year, persons``; labels of one group are summed."""
    if frame.empty:
        return empty("margin")
    key = ["side", "criterion", "reporter", "group", "year"]
    frame = frame.groupby(key, as_index=False, sort=False)["persons"].sum().rename(columns={"reporter": "territory"})
    return validate(frame.assign(source=source, quantity=quantity), "margin", file=file)


def indicators(frame: pd.DataFrame, labels: Labels, *, source: str, variable: str, destination: str, file,
               omitted: Omissions) -> pd.DataFrame:
    """Table ``pair_year`` of one variable from ``row, label, year, value, status``, by label of the origin.

    Several labels of one territory are summed; the sum is ``imputed`` where one of them is. Margins have no place in
    this table: what is no territory is left out.

    Raises
    ------
    UnknownTerritoryError, NegativeCountError, DuplicateKeyError
        Naming the row.
    """
    check_rows(frame, "value", ["label", "year"], file)
    frame = frame.assign(origin=labels.codes(frame, file=file))
    frame = omitted.keep(frame, frame["value"].notna(), NO_NUMBER, persons="value")
    frame = omitted.keep(frame, ~frame["label"].isin(labels.left_out), frame["label"].map(labels.left_out),
                         persons="value")
    frame = omitted.keep(frame, frame["origin"] != destination, OWN, persons="value")
    if frame.empty:
        return empty("pair_year")
    grouped = frame.assign(imputed=frame["status"] == "imputed").groupby(["year", "origin"], as_index=False, sort=False)
    frame = grouped.agg(value=("value", "sum"), imputed=("imputed", "any"))
    frame["status"] = frame.pop("imputed").map({True: "imputed", False: "reported"})
    frame = omitted.keep(frame, ~precedes_partner(frame["origin"], frame["year"], frame["value"]), BEFORE_PARTNER,
                         persons="value")
    return validate(frame.assign(source=source, variable=variable, destination=destination), "pair_year", file=file)


def check_scale(frame: pd.DataFrame, *, file) -> None:
    """Refuse numbers in thousands among numbers in persons, or the reverse.

    Told by a year in which the series together leave the years beside it by a factor near a thousand, and by one number
    of a steady series that does and comes back.

    Parameters
    ----------
    frame : columns ``row, label, reporter, side, criterion, year, persons``.

    Raises
    ------
    SchemaError
        Naming the row.
    """
    known = frame[frame["persons"] > 0].sort_values([*_SERIES, "year"])
    series = known.groupby(_SERIES, sort=False)
    value, number = np.log(known["persons"]), np.log(_SCALED)
    before = value - np.log(series["persons"].shift()).where(series["year"].shift() == known["year"] - 1)
    after = value - np.log(series["persons"].shift(-1)).where(series["year"].shift(-1) == known["year"] + 1)
    near = np.log(_NEAR)
    large = np.maximum(value, value - before) >= np.log(_LARGE)
    isolated = large & ((before - after).abs() < near) & ((before.abs() - number).abs() < near)
    if isolated.any():
        _out_of_scale(known.loc[isolated.idxmax()], "differs from the years beside it by about a thousand", file)
    jumps = before.where(large).groupby([known["reporter"], known["side"], known["criterion"], known["year"]])
    whole = (jumps.transform("count") >= _ENOUGH) & ((jumps.transform("median").abs() - number).abs() < near)
    if whole.any():
        _out_of_scale(known.loc[whole.idxmax()], "stands in a year whose numbers differ from those of the year before "
                      "by about a thousand", file)


def _out_of_scale(row: pd.Series, problem: str, file) -> None:
    raise SchemaError(file, f"{row['label']}, {row['side']} {row['year']}: {row['persons']:g} {problem}",
                      "give all years in persons", key=_at(row))


def _at(row: Mapping) -> str:
    return row["row"] if isinstance(row["row"], str) else f"row {row['row']}"


def check_rows(frame: pd.DataFrame, number: str, key: list[str], file) -> None:
    """Refuse negative counts and two numbers of one label."""
    negative = frame[number] < 0
    if negative.any():
        row = frame.loc[negative.idxmax()]
        raise NegativeCountError(file, f"negative count {row[number]:g} for {row['label']!r}",
                                 "mend the row or list it in data/corrections.csv", key=_at(row))
    twice = frame.duplicated(key)
    if twice.any():
        row = frame.loc[twice.idxmax()]
        when = f", {row['year']}" if "year" in key else ""
        raise DuplicateKeyError(file, f"a second number for {row['label']!r}{when}", "keep one of the rows",
                                key=_at(row))
