"""Eurostat, immigration by country of citizenship (migr_imm1ctz): 46 reporters, 1998–2023, both sexes, all ages.

The file holds English labels. What is not a foreign citizenship becomes a margin (total, own citizens, stateless,
unknown, others) or is left out and counted: continents, groups of the EU, former states, Kosovo, recognised
non-citizens. A citizenship is not a previous residence: it is put where a residence would stand (origin).

Quirks
------
- Namibia is missing: whoever made the file read its code, NA, as empty.
- "Micronesia" and "Southern Africa" are regions; the states are "Federated States of Micronesia" and "South Africa".
- The reporter's own citizens stand twice, as "Reporting country" and by name; where both differ, see `OWN`.
- Reporters fill zeros for territories that give no citizenship (Greenland, Aruba, …): nobody could be counted there.
- Regulation (EC) No 862/2007 holds from 2008; before, a reporter used its own definition, and some changed it later
  (totals halve in Germany in 2009, grow twelvefold in Poland in 2009).
"""
from pathlib import Path

import pandas as pd

from ..errors import DuplicateKeyError
from ..schema import validate
from .eurostat_io import NOT_TERRITORIES, once, read_numbers, read_rows, reported_years, territory_of
from .names import precedes_partner
from .omissions import AGGREGATE, BEFORE_PARTNER, NO_CITIZENSHIP, REPEATED, Omissions
from .plausible import refuse_thousands

SOURCE = "eurostat_imm1ctz"
COLUMNS = {"Country of citizenship": "citizenship", "geo": "reporter", "year": "year", "Migrants number": "persons"}
MARGINS = {"Total": "total", "Reporting country": "own", "Stateless": "stateless", "Unknown": "unknown",
           "Others": "others"}
# Own citizens where "Reporting country" and the reporter's name give two numbers. Belarus 2007: 0 and 2,026, the zero
# is a filled cell. United Kingdom 2000: 103,902 is the total less the foreign citizens, 103,904 is not.
OWN = {("BLR", 2007): 2026.0, ("GBR", 2000): 103_902.0}
# Dependencies and autonomous territories whose people hold the citizenship of another state.
WITHOUT_CITIZENSHIP = frozenset({
    "ABW", "AIA", "BES", "BMU", "CUW", "CYM", "FLK", "FRO", "GIB", "GRL", "IMN", "MSR", "MYT", "NCL", "PYF", "SHN",
    "SPM", "SXM", "TCA", "VGB", "WLF"})


def read_eurostat_imm1ctz(path: Path, *, omitted: Omissions | None = None) -> dict[str, pd.DataFrame]:
    """Immigrants by citizenship, and the totals and remainders that come with them.

    Parameters
    ----------
    path : ``immigration_by_citizenship.csv``.
    omitted : collects what is left out.

    Returns
    -------
    dict
        ``flow``: side immigration, criterion citizenship, flow_type movement, origin the citizenship, destination the
        reporter, persons in the calendar year. ``margin``: quantity flow, groups total, own, stateless, unknown and
        others.

    Raises
    ------
    SourceFileError, SchemaError, UnknownTerritoryError, NegativeCountError, DuplicateKeyError
        Naming file and row.
    """
    omitted = Omissions() if omitted is None else omitted
    frame = once(read_numbers(read_rows(path, COLUMNS), omitted, file=path), ["citizenship", "reporter", "year"],
                 omitted, file=path)
    frame = frame.assign(reporter=territory_of(frame["reporter"], file=path))
    frame = reported_years(omitted.keep(frame, frame["reporter"].notna(), AGGREGATE), omitted)
    refuse_thousands(frame, ["reporter"], ["citizenship"], file=path)
    group = frame["citizenship"].map(MARGINS)
    margin, frame = frame.assign(group=group)[group.notna()], frame[group.isna()]
    partner = territory_of(frame["citizenship"], file=path)
    reason = frame["citizenship"].map(NOT_TERRITORIES)
    frame = omitted.keep(frame.assign(partner=partner), partner.notna(), reason)
    own = frame["partner"] == frame["reporter"]
    margin = _own(margin, frame[own], omitted, path)
    frame = frame[~own]
    frame = omitted.keep(frame, ~((frame["persons"] == 0) & frame["partner"].isin(WITHOUT_CITIZENSHIP)),
                         NO_CITIZENSHIP)
    frame = omitted.keep(frame, ~precedes_partner(frame["partner"], frame["year"], frame["persons"]), BEFORE_PARTNER)
    flow = pd.DataFrame({
        "source": SOURCE, "reporter": frame["reporter"], "side": "immigration", "criterion": "citizenship",
        "flow_type": "movement", "year": frame["year"], "origin": frame["partner"], "destination": frame["reporter"],
        "persons": frame["persons"]})
    margin = pd.DataFrame({
        "source": SOURCE, "quantity": "flow", "side": "immigration", "criterion": "citizenship",
        "territory": margin["reporter"], "group": margin["group"], "year": margin["year"],
        "persons": margin["persons"]})
    return {"flow": validate(flow, "flow", file=path), "margin": validate(margin, "margin", file=path)}


def _own(margin: pd.DataFrame, named: pd.DataFrame, omitted: Omissions, file) -> pd.DataFrame:
    """Margins with one row of own citizens a year, from "Reporting country" or, where it is absent, by name."""
    named = named.assign(group="own")
    both = pd.concat([margin[margin["group"] == "own"], named])
    chosen = pd.Series(list(zip(both["reporter"], both["year"])), index=both.index).map(OWN)
    both = omitted.keep(both, chosen.isna() | (both["persons"] == chosen), "another number of the same people is read")
    again = both.duplicated(["reporter", "year"])
    differs = again & ~both.duplicated(["reporter", "year", "persons"])
    if differs.any():
        row = differs.idxmax()
        raise DuplicateKeyError(file, f"two numbers of own citizens for {both.at[row, 'reporter']} in "
                                f"{both.at[row, 'year']}", "say in eurostat_imm1ctz.OWN which holds", key=f"row {row}")
    return pd.concat([margin[margin["group"] != "own"], omitted.keep(both, ~again, REPEATED)])
