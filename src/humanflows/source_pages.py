"""The chapter on data sources: what the panel holds of them and what not, as blocks of text and tables.

The numbers are those of ``data/panel``, written by ``scripts/describe_panel.py`` from the real sources, so that a
reader of the book sees them on a machine that has none.
"""
import math
from collections.abc import Callable

import pandas as pd

from . import paths
from .artifacts import require
from .panel.inventory import RECENT
from .plotting.charts import SOURCE_TITLES
from .results.protocol_report import Fold, Table
from .sources.omissions import COUNTED_AGAIN, NO_YEAR
from .territories import codes, name

SHOWN = 25          # breaks of each kind of table
FEW = 20            # persons: flows of which a platform with a limit of 50 should show next to none
_SIDE = {"immigration": "arrivals", "emigration": "departures", "both": "both"}
_QUANTITY = {"flow, reporter": "Whole series of reporters", "flow": "Reported flows of single corridors",
             "stock": "Stocks, between two dates", "displaced_stock": "Displaced people, by origin and asylum"}


def section(which: str) -> list:
    """Blocks of one section: ``str``, ``Table`` or ``Fold``.

    Raises
    ------
    ArtifactError
        When a table that the section shows was not made.
    """
    return SECTIONS[which]()


def read_panel_table(which: str) -> pd.DataFrame:
    """One of the tables of ``data/panel``."""
    file = require(paths.PANEL / f"{which}.csv", "scripts/describe_panel.py")
    return pd.read_csv(file, keep_default_na=False, na_values=[""])


def left_out(source: str) -> Table | None:
    """What the reader of a source leaves out, by reason; None where it leaves out nothing."""
    table = read_panel_table("omitted")
    table = table[table["source"] == source]
    if table.empty:
        return None
    rows = []
    for reason, part in table.groupby("reason"):
        years = part.loc[part["year"] != NO_YEAR, "year"]
        rows.append({"reason": reason, "rows": f"{part['rows'].sum():,}", "persons": f"{part['persons'].sum():,.0f}",
                     "years": f"{years.min()}–{years.max()}" if len(years) else "–",
                     "elsewhere": "yes" if reason in COUNTED_AGAIN else ""})
    return Table("Left out", rows, {"reason": "why", "rows": "rows", "persons": "persons or events", "years": "years",
                                    "elsewhere": "counted in other rows too"}, folded=True)


def reports_section() -> list:
    """Reports of flows by source: how many there are, and how many are learned from."""
    table = read_panel_table("reports")
    text = (f"The panel holds {table['cells'].sum():,} reports of a flow in a year, of which {table['once'].sum():,} "
            f"are learned from: the others repeat a number of a newer collection. {table['recent'].sum():,} of these "
            f"are of {RECENT} or later.")
    rows = [{"source": _link(r["source"]), "side": _SIDE[r["side"]], "criterion": r["criterion"],
             "reporters": str(r["reporters"]), "years": f"{r['first_year']}–{r['last_year']}",
             "cells": f"{r['cells']:,}", "once": f"{r['once']:,}", "recent": f"{r['recent']:,}"}
            for _, r in table.iterrows()]
    return [text, Table("Reports by collection", rows, {
        "source": "source", "side": "side", "criterion": "criterion", "reporters": "reporters", "years": "years",
        "cells": "reports", "once": "learned from", "recent": f"of these {RECENT} or later"})]


def repeated_section() -> list:
    """Numbers that two collections publish."""
    table = read_panel_table("repeated")
    text = (f"{table['cells'].sum():,} reports are the same publication as one of a newer collection: "
            f"{table['equal'].sum():,} are the same number, the others an earlier state of one.")
    pairs = table.groupby(["kept", "repeated"], sort=False)
    tables = []
    for (kept, repeated), part in sorted(pairs, key=lambda g: -g[1]["cells"].sum()):
        rows = [{"reporter": _place(r["reporter"]), "side": _SIDE[r["side"]], "criterion": r["criterion"],
                 "years": f"{r['first_year']}–{r['last_year']}", "cells": f"{r['cells']:,}",
                 "equal": f"{r['equal']:,}", "persons": f"{r['persons']:,.0f}"} for _, r in part.iterrows()]
        tables.append(Table(f"{_title(repeated)}, repeated in {_title(kept)}: {part['cells'].sum():,} reports", rows, {
            "reporter": "reporter", "side": "side", "criterion": "criterion", "years": "years", "cells": "reports",
            "equal": "same number", "persons": "persons"}))
    return [text, Fold("Which series, by pair of collections", tables)]


def platform_section() -> list:
    """What a platform shows of flows of which statistical offices count few."""
    table = read_panel_table("platform_counts")
    few = table[table["counted_to"] <= FEW]
    flows, shown, noise = few["flows"].sum(), few["shown"].sum(), table["monthly_noise"].iloc[0]
    text = (f"Of {flows:,} flows of which a statistical office that misses few counts at most "
            f"{few['counted_to'].max():,.0f} persons, Meta shows {shown:,}, {shown / flows:.0%}, though it leaves out "
            f"what is below its limit. With noise of standard deviation {noise:.1f} persons a month, which together "
            "with the scatter of the counts makes these numbers most probable, "
            f"{12 * noise / math.sqrt(2 * math.pi):.0f} persons a year are counted on average where nobody moves.")
    rows = [{"counted": _range(r["counted_from"], r["counted_to"]), "flows": f"{r['flows']:,}",
             "share": f"{r['shown'] / r['flows']:.0%}", "median": f"{r['median_counted']:,.0f}",
             "shown": "–" if pd.isna(r["median_shown"]) else f"{r['median_shown']:,.0f}"}
            for _, r in table.iterrows()]
    years = f"{table['first_year'].min()} to {table['last_year'].max()}"
    return [text, Table(f"Flows that an office counts, and what Meta shows of them, {years}", rows, {
        "counted": "statistical office counts, persons", "flows": "flows", "share": "shown by Meta",
        "median": "median count of the office", "shown": "median of what is shown"})]


def _range(first: float, last: float) -> str:
    return f"{first:,.0f} and more" if math.isinf(last) else f"{first:,.0f} to {last:,.0f}"


def breaks_section() -> list:
    """Series that end, are absent for years, or lose nine tenths from one year to the next."""
    table = read_panel_table("breaks")
    text = (f"{len(table):,} breaks follow on a thousand persons or more. None is read as zero. The largest of each "
            "kind of series:")
    tables = []
    for which, part in table.groupby("table", sort=False):
        rows = [{"series": _series(r), "kind": r["kind"], "year": str(r["year"]), "before": f"{r['before']:,.0f}",
                 "after": "–" if pd.isna(r["after"]) else f"{r['after']:,.0f}",
                 "absent": str(r["years_absent"]) if r["years_absent"] else ""}
                for _, r in part.nlargest(SHOWN, "before").iterrows()]
        tables.append(Table(f"{_QUANTITY[which]}: {len(part):,}", rows, {
            "series": "series", "kind": "what happens", "year": "first year of it", "before": "persons before",
            "after": "persons after", "absent": "years absent"}))
    return [text, Fold("The largest breaks", tables)]


SECTIONS: dict[str, Callable[[], list]] = {
    "reports": reports_section, "repeated": repeated_section, "breaks": breaks_section, "platform": platform_section}


def _title(source: str) -> str:
    """Publisher and kind in a few words: several collections of one publisher stand side by side."""
    return SOURCE_TITLES.get(source, source)


def _link(source: str) -> str:
    return f"[{_title(source)}](#source-{source.replace('_', '-')})"


def _place(code: str) -> str:
    return name(code) if code in codes() else code


def _series(row: pd.Series) -> str:
    corridor = " to ".join(_place(row[k]) for k in ("origin", "destination") if isinstance(row[k], str))
    what = ", ".join(str(row[k]) for k in ("source", "reporter", "side", "criterion") if isinstance(row[k], str))
    return f"{corridor} ({what})" if corridor else what
