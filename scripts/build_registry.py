"""Write data/registry.csv and data/README.md from a manifest of source files.

Usage: python scripts/build_registry.py MANIFEST.csv

The manifest has the columns path, bytes, sha256, url, source, licence (and, where given, vintage). Rows without a url
cannot be fetched by anybody and are left out. The vintage is derived from the source and the pinned commit in the url.
"""
import re
import sys
from pathlib import Path

import pandas as pd

from humanflows import paths
from humanflows.artifacts import atomic, write_text
from humanflows.sources.catalogue import SOURCES
from humanflows.sources.registry import COLUMNS, check_path

# What the publisher calls the edition, by longest matching start of the path; the commit follows from the url.
EDITIONS = {
    "abel_cohen/abelCohen2019flowsv6": "Abel & Cohen 2019, version 6",
    "abel_cohen/": "JSON of 2023-04-28",
    "cepii_geodist/": "GeoDist 2011",
    "eurostat_albania/": "migr_emi1ctz 2015–2024, migr_resfirst 2008–2025",
    "eurostat_asytpsm/": "March 2022–March 2025",
    "eurostat_imm1ctz/": "1998–2023",
    "eurostat_imm5prv/": "1998–2023",
    "cso_ireland/": "PEA18, years to April 1987–2023",
    "dst_denmark/": "VAN1AAR and VAN2AAR, sums of 2014–2023",
    "eurostat_migmod/": "data of 2010–2019",
    "eurostat_resvalid/": "2008–2023",
    "extras/passport": "January 2025",
    "extras/vdem": "V-Dem 1789–2024",
    "gaskin_abel/inputs/": "1990–2023",
    "gaskin_abel/published/": "estimates of 1990–2023",
    "iom_gdidata/": "R package gdidata, up to May 2025",
    "ircc_tr/": "months 2015-01 to 2024-06",
    "meta/": "2019–2022, Chi et al. 2025",
    "oecd_mig/": "download of 2018-09-16",
    "ons_uk/": "release of 2025",
    "scb_sweden/": "2000–2024",
    "statsnz/": "Infoshare, 2016-08-16 (1978M04–2016M06)",
    "statsnz_2001_2026/": "download of 2026-07-28 (months to 2026-05)",
    "trade/DatiProcessati": "BACI 2000–2020",
    "trade/trade_cepii": "BACI 2023",
    "trade/country_labels": "BACI 2023",
    "trade/daia": "BACI 2000–2020, every fifth year",
    "trade/cow": "COW dyadic trade 4.0 (1870–2014)",
    "undesa_imfsc_2015/": "2015 revision",
    "undesa_ims/gdidata_undesa_stocks_2020": "2020 revision",
    "undesa_ims/gdidata_undesa_stocks_2024": "2024 revision",
    "unhcr/": "December 2025 (refugees v2025.12.1)",
    "unhcr_more/": "December 2025 (refugees v2025.12.1)",
    "us_niv/": "fiscal years 1997–2024",
    "wdi/": "WDI extract with WPP 2024",
    "wpp2024/": "2024 revision",
}


def vintage(path: str, url: str) -> str:
    """Edition of a file and the commit that its address pins."""
    edition = next((EDITIONS[p] for p in sorted(EDITIONS, key=len, reverse=True) if path.startswith(p)), "")
    commit = re.search(r"/([0-9a-f]{40})/", url)
    return "; ".join(filter(None, [edition, f"commit {commit[1][:12]}" if commit else ""]))


def build_registry(manifest: Path) -> pd.DataFrame:
    """Registry table from a manifest, sorted by path."""
    frame = pd.read_csv(manifest, keep_default_na=False)
    frame = frame[frame["url"] != ""]
    given = frame["vintage"] if "vintage" in frame else pd.Series("", index=frame.index)
    frame["vintage"] = [v or vintage(p, u) for v, p, u in zip(given, frame["path"], frame["url"])]
    for path in frame["path"]:
        check_path(path)
    return frame[COLUMNS].sort_values("path", ignore_index=True)


def readme(frame: pd.DataFrame) -> str:
    """Text of data/README.md."""
    lines = [
        "# Data", "",
        "Written by `scripts/build_registry.py` from `registry.csv`; do not edit by hand.", "",
        "No source file lies in this repository. `humanflows fetch` downloads each from its pinned address and checks "
        "its sha256; a folder laid out alike (`HUMANFLOWS_MIRROR`, or `shared/data` beside the checkout) is read in "
        "place before anything is downloaded.", "",
        "| file here | what it is |", "|---|---|",
        "| `registry.csv` | every source file: path, bytes, sha256, address, source, licence, vintage |",
        "| `territories.csv` | the 231 territories: codes, names, regions; alpha-2 codes in lower case, as `NA` would "
        "be missing to many readers |",
        "| `aliases.csv` | other names of territories, and what is no territory here: kind, territories, note |",
        "| `corrections.csv` | every hand correction of a source: source, table, key, old, new, reason, reference |",
        "| `reporting_systems.csv` | what a migrant is in each reporter's system: source, reporter, side, criterion, "
        "years, system, duration of stay, class, breaks, reference |",
        "| `reporting_classes.csv` | expected log bias of a report, by duration and by class and side |",
        "| `duration_coefficients.csv` | published factors between durations of stay |",
        "| `trusted_offices.csv` | whose reports can be held against an estimate, and why: reporter, side, reason, "
        "reference |",
        "| `known_flows.csv` | published figures of well-known corridors and years that the estimates are held "
        "against: figure, kind, whether it bounds the flow, definition, source, address, how it was verified |",
        "| `panel/` | what two reports of one flow say of each other |",
        "| `baci_order.csv` | order of the rows of the trade matrix of 2000–2020 |",
        "| `uk_national_insurance.csv` | adults from overseas who registered for a National Insurance number, the "
        "fifteen largest nationalities of each year and the total; transcribed from the Department for Work and "
        "Pensions' Stat-Xplore as republished by tompickup23/ukdemographics (commit 6b2e055b), Open Government Licence "
        "v3.0 |",
        "| `geometry/` | outlines for the maps |",
        "| `release/` | the project's own results |", "",
        "## How the known flows were chosen", "",
        "Before our estimates of them were looked at. Taken were corridors and years that readers look up first and of "
        "which somebody published a figure: accessions to the European Union, wars and returns since 1992, Venezuela, "
        "contract labour of Asia and the Gulf, the successors of the Soviet Union; and for every region of the world, "
        "as origin and as destination, large and small flows, down to a few persons between islands. Eight are an "
        "exception: they were put on the list because release 1.1 was known to miss them (India and Nigeria to the "
        "United Kingdom 2022, Bangladesh to Saudi Arabia 2022, Romania to Spain 2007, Poland to Germany 2012, Syria to "
        "Germany 2015, Ukraine to Russia 1994, Myanmar to Bangladesh 2017).", "",
        "Of several figures of a flow the list has the one by residence before the one by citizenship, twelve months "
        "before another stay, the destination's before the origin's, an office's before UNHCR's. Exceptions: Syria to "
        "Germany 2015 is the national number, by which it is known; Ukraine to Italy 2022 is UNHCR's, as the office "
        "counted refugees later. Two figures that broke this order were exchanged after a first comparison (Somalia to "
        "Sweden 2010, Ukraine to Moldova 2022). Left out are waves of which most are known to have gone home within "
        "the year (Kosovo 1999, Iraq 1991), and figures that could not be verified: every row says whether it "
        "equals a report of the panel, or was read on the page that is named. Where the publication "
        "itself was not at hand the page is one that quotes it, and the row says so (*after*).", "",
        "A figure bounds the flow from below where it leaves out some who moved (refugees registered, permits of one "
        "kind), from above where it counts some who did not (rehired workers, repeated crossings). Workers who are "
        "cleared for a contract abroad are no moves: some stay at home, and families and workers without papers are "
        "missing. They are held to be about as large as the flow unless their row says otherwise.", "",
        "## Sources read by the project", "",
        "| name | title | files | licence | years |", "|---|---|---|---|---|",
    ]
    for source in SOURCES.values():
        lines.append(f"| `{source.name}` | {source.title} | {len(source.files)} | {source.licence} | "
                     f"{source.years} |")
    lines += ["", "Published estimates of others (`gaskin_abel/published/`) are registered for comparison only; "
              "nothing that is fitted reads them.", "", "## Source files", ""]
    for (source, licence), part in frame.groupby(["source", "licence"], sort=False):
        lines += [f"### {source}", "", f"Licence: {licence}. {len(part)} file{'s' * (len(part) > 1)}, "
                  f"{part['bytes'].sum() / 1e6:.1f} MB.", "", "| path | vintage | bytes | sha256 |",
                  "|---|---|---|---|"]
        lines += [f"| [`{r.path}`]({r.url}) | {r.vintage} | {r.bytes} | `{r.sha256}` |" for r in part.itertuples()]
        lines.append("")
    return "\n".join(lines)


def main(manifest: str) -> None:
    """Write both files."""
    frame = build_registry(Path(manifest))
    with atomic(paths.REGISTRY) as temporary:
        frame.to_csv(temporary, index=False)
    write_text(paths.DATA / "README.md", readme(frame))
    print(f"{len(frame)} files, {frame['bytes'].sum() / 1e6:.1f} MB")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
