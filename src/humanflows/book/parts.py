"""What pages may not type by hand: facts, generated tables, and the banner that says whether numbers are simulated."""
import json
import platform
import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import partial
from importlib.metadata import version
from pathlib import Path

import nbformat
import pandas as pd

from .. import artifacts, paths
from ..config import load_config
from ..errors import ArtifactError, ConfigError
from .execute import is_of_the_release
from .toc import toc_files

BOOK_PACKAGES = ("jupyter-book", "sphinx", "myst-nb", "papermill")
_SUBSTITUTION = re.compile(r"\{\{\s*(.*?)\s*\}\}")
MARKER = re.compile(r"^<!-- generated: ([a-z_]+) -->[ \t]*$", re.MULTILINE)
_CODE = re.compile(r"^(`{3,}|~{3,})(?!\{).*?^\1[ \t]*$|`[^`\n]+`", re.MULTILINE | re.DOTALL)


def load_facts() -> dict[str, str]:
    """What the prose may say in numbers: ``data/release/facts.json`` and a few counts of the project's own tables.

    Raises
    ------
    ConfigError
        When a value is no string or a key is no identifier (both would be dropped in silence by the book's parser).
    """
    from ..territories import codes

    world = load_config("world")
    facts = {"package_version": version("humanflows"), "territories": str(len(codes())),
             "first_year": str(world.first_year), "last_year": str(world.last_year),
             "twin_territories": str(load_config("twin").twin.territories)}
    if paths.REGISTRY.is_file():
        facts["source_files"] = str(len(pd.read_csv(paths.REGISTRY, keep_default_na=False)))
    file = paths.RELEASE / "facts.json"
    if file.is_file():
        try:
            said = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise ConfigError(file, f"no JSON ({type(error).__name__})", "make the release again") from error
        if not isinstance(said, dict):
            raise ConfigError(file, "not a mapping of facts", "make the release again")
        for key, value in said.items():
            if not isinstance(value, str) or not key.isidentifier():
                raise ConfigError(file, f"fact {key!r} must be an identifier with a string, found {value!r}",
                                  "format the number in the release step", key=key)
            facts[key] = value
    if (paths.RELEASE / "scores.csv").is_file():
        from ..results.headline import read_headline, score_facts

        # A release that was made before all folds led has the scores of one of them among its facts.
        headline = read_headline(paths.RELEASE)
        facts |= score_facts(headline) if headline.together else {"scores_of": headline.of}
    return facts


def used_facts(text: str) -> list[str]:
    """Keys of the substitutions ``{{ key }}`` in a page, outside code."""
    return _SUBSTITUTION.findall(_CODE.sub("", text))


def banner(profile: str) -> str:
    """Admonition that says where a page's numbers come from."""
    if profile == "twin":
        return ("::::{admonition} Simulated twin\n:class: simulated\n"
                "The numbers on this page come from a simulated world whose true flows are known. They show that the "
                "method works and how it is used; they say nothing about real migration.\n::::\n")
    return ("::::{admonition} Real sources\n:class: real\n"
            "The numbers on this page are estimates from the real, published sources.\n::::\n")


def release_profile() -> str:
    """Profile that made ``data/release``.

    Raises
    ------
    ArtifactError
        When the release has no manifest or one that names no profile.
    """
    file = artifacts.require(paths.RELEASE / "manifest.json", "humanflows release --profile world")
    profile = json.loads(file.read_text(encoding="utf-8")).get("profile")
    if not profile:
        raise ArtifactError(file, "the manifest names no profile", "run humanflows release again", key="profile")
    return profile


def _banner_of_release() -> str:
    return banner(release_profile())


def _cell(value) -> str:
    if value is None or value != value:
        return ""
    text = f"{value:,.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")


def markdown_table(rows: Iterable[Mapping], columns: Mapping[str, str]) -> str:
    """A Markdown table.

    Parameters
    ----------
    rows : one mapping each.
    columns : key of a row to the column's heading, in order.
    """
    lines = ["| " + " | ".join(columns.values()) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(_cell(row.get(key)) for key in columns) + " |" for row in rows]
    return "\n".join(lines) + "\n"


# Column of data/release/scores.csv → heading and decimals.
_SCORES = {"peer": ("estimates", 0), "n": ("cells", 0), "r": ("R", 3), "log_r": ("log R", 3),
           "abs_log_error": ("abs. log error", 3), "median_log_error": ("median log error", 2),
           "cpc": ("CPC", 3), "log_bias": ("log bias", 2), "within_r": ("R within corridor", 2)}
_LATER_SCORES = ("abs_log_error", "median_log_error")     # that tables of earlier releases may lack
_SCORE_GROUPS = ("collection", "side", "criterion", "horizon")


_FIRST = {"undesa_imfsc", "residence"}   # the sets of the validation protocol: shown open, before the folded others


def scores_part() -> str:
    """Score tables of the release as Markdown, one per set of cells; all but the protocol's own are folded by source.

    They are of all folds of the corridors together, or, where these were not run for the release, of one, and say so.
    Where trusted offices report any of the cells, each score has a second column for their reports alone.
    """
    from ..results.headline import read_headline
    from ..results.offices import TRUSTED, of_offices
    from ..sources.catalogue import SOURCES

    headline = read_headline(paths.RELEASE)
    scores = headline.scores
    absent = [c for c in (*_SCORE_GROUPS, *_SCORES) if c not in scores and c not in _LATER_SCORES]
    if absent:
        raise ArtifactError(paths.RELEASE / "scores.csv", f"score table lacks the columns {absent}",
                            "run humanflows release again")
    titles = {name: source.title for name, source in SOURCES.items()}
    shown, folded = [], {}
    for keys, group in scores.groupby(list(_SCORE_GROUPS), sort=False, dropna=False):
        source, *which = [titles.get(k, str(k).replace("_", " ")) for k in keys if k == k]
        heads = {c: h for c, h in _SCORES.items() if c in group and group[c].notna().any()}
        trusted = of_offices(group, TRUSTED).set_index("peer")
        rows = [{c: _score(row[c], decimals) for c, (_, decimals) in heads.items()}
                | {f"{c}, trusted": _score(trusted[c].get(row["peer"], float("nan")), decimals)
                   for c, (_, decimals) in heads.items() if c in trusted}
                for _, row in of_offices(group).iterrows()]
        names = {c: head for c, (head, _) in heads.items()}
        if len(trusted):
            names = {name: text for c, head in names.items()
                     for name, text in ((c, head), (f"{c}, trusted", f"{head}, trusted")) if name != "peer, trusted"}
        table = markdown_table(rows, names)
        if set(keys) >= _FIRST:
            shown.append(f"**{source}, {', '.join(which)}**\n\n{table}")
        else:
            folded.setdefault(source, []).append(f"**{', '.join(which)}**\n\n{table}")
    first = [f"*Of {headline.of}" + (", each by the member that never saw it.*\n" if headline.together else
                                     ". Another fold would have other scores.*\n")]
    return "\n".join([*first, *shown, *(f"````{{dropdown}} {source}\n" + "\n".join(tables) + "````\n"
                                for source, tables in folded.items())])


_ABLATED = {"log_score": ("log score", 3), "r": ("R", 3), "log_r": ("log R", 3), "cpc": ("CPC", 3),
            "log_bias": ("log bias", 2), "within_r": ("R within corridor", 2)}


def ablation_part() -> str:
    """What each part buys: figure, what it says, a table, and folded tables of other collections, as Markdown.

    A release that was made without the table has a sentence instead.
    """
    from ..results.ablation import SHOWN, ablation_sentences, is_ablation, short_table
    from ..results.offices import TRUSTED, with_offices
    from ..sources.catalogue import SOURCES

    file = paths.RELEASE / "ablation.csv"
    table = pd.read_csv(file, keep_default_na=False, na_values=[""]) if file.is_file() else pd.DataFrame()
    if not is_ablation(table):
        return ("*The release at hand was made without such a table. `humanflows ablate --profile world` makes it, and "
                "the next `humanflows release` takes it along.*\n")
    artifacts.require(paths.RELEASE / "figures" / "ablation.png", "humanflows release --profile world")
    made, released = (json.loads((paths.RELEASE / f).read_text(encoding="utf-8")) if (paths.RELEASE / f).is_file()
                      else {} for f in ("ablation.json", "manifest.json"))
    alike = made and all(released.get("inputs", {}).get(k) == v for k, v in made.items())
    rows = short_table(table)
    heads = dict.fromkeys(k for row in rows for k in row)
    parts = ["```{figure} ../data/release/figures/ablation.png\n:name: figure-ablation\n"
             ":alt: Dots of score differences, a run in each row, a panel for each score and side.\n"
             ":figclass: full-width\n:width: 100%\n\n"
             "Each part left out or changed, against everything as it is, on validation corridors of UN DESA's flows "
             "by residence. Left of zero the run is worse, so the part is worth having; the run that loses most is on "
             "top. Inside the grey band, chance is enough to explain a difference. Strokes are a run's lowest and "
             "highest seed; arrows at the edge are further out than the panel.\n```\n",
             "" if alike else "*These runs were made with other settings or code than the released estimates: "
             "everything as it is, here, is the model as it was then.*\n", ablation_sentences(table),
             "````{dropdown} Every run: everything as it is, then differences from it\n"
             + markdown_table(rows, {k: {"run": "training"}.get(k, k) for k in heads})
             + "\n±: what chance alone makes of a run with one seed in 95% of cases. \\*: a difference beyond "
             "chance, by as many seeds as the run has.\n````\n"]
    titles = {name: source.title for name, source in SOURCES.items()}
    sets = ["collection", "side", "criterion", "horizon", "offices"]
    known = {c: about for c, about in _ABLATED.items() if c in table and table[c].notna().any()}
    means = with_offices(table).groupby([*sets, "run"], sort=False)[list(known)].mean()
    for (collection, side, criterion, horizon, offices), group in means.groupby(level=sets, sort=False):
        if (criterion, horizon) == (SHOWN["criterion"], SHOWN["horizon"]) and collection != SHOWN["collection"]:
            rows = [{"run": keys[-1], **{c: _score(row[c], d) for c, (_, d) in known.items()}}
                    for keys, row in group.iterrows()]
            head = {"run": "training", **{c: head for c, (head, _) in known.items()}}
            whose = ", trusted offices" if offices == TRUSTED else ""
            parts.append(f"````{{dropdown}} {titles.get(collection, collection)}, {side}{whose}\n"
                         f"{markdown_table(rows, head)}\n````\n")
    return "\n".join(parts)


_ERROR_FIGURES = {
    "worst_corridors": ("Reported and estimated means of the corridors with the largest share of the error.",
                        "Held-out corridors that contribute most to the error. A line joins what is reported and what "
                        "is estimated; the diamond is what another office or source says of the same years. Beside "
                        "it, what the data hint."),
    "residuals": ("Ratio of estimated to reported flows, with intervals, by group of held-out corridors and by year.",
                  "Estimated over reported flows on held-out corridors, by group, with 95% intervals; one is right on "
                  "average. Offices miss people who leave, so that departures should lie to the right of arrivals."),
    "error_components": ("Stacked bars of the mean squared log error of each set of cells.",
                         "The mean squared log error of each set of held-out cells, as an exact sum of three parts."),
    "shocks": ("Small charts of estimated flows through named events, beside reports and refugee counts.",
               "Named shocks: the estimate, counts of offices and of the platform, and UNHCR's. Most of these "
               "corridors were learned from; the table says which were not."),
}
_SHOCKS = {"title": "shock", "series": "beside", "rise": "its rise", "estimated_rise": "estimated rise",
           "found": "found", "held_out": "held out"}


def errors_part() -> str:
    """Where the released estimates are wrong: figures, a table of shocks and what both say, as Markdown.

    A release that was made without these tables has a sentence instead.
    """
    from ..plotting.errors import SHOWN, series_name
    from ..results.error_report import error_sentences, shock_rows
    from ..results.errors import TABLES

    if not all((paths.RELEASE / f"{t}.csv").is_file() for t in TABLES):
        return "*The release at hand was made without an error analysis; the next one will have it.*\n"
    tables = {t: pd.read_csv(paths.RELEASE / f"{t}.csv", keep_default_na=False, na_values=[""]) for t in TABLES}
    parts, sentences = [], error_sentences(tables, SHOWN)
    for which, (alt, caption) in _ERROR_FIGURES.items():
        artifacts.require(paths.RELEASE / "figures" / f"{which}.png", "humanflows release --profile world")
        parts.append(f"```{{figure}} ../data/release/figures/{which}.png\n:name: figure-{which.replace('_', '-')}\n"
                     f":alt: {alt}\n:figclass: full-width\n:width: 100%\n\n{caption}\n```\n\n{sentences[which]}\n")
    rows = [{**row, "series": series_name(row["series"])} for row in shock_rows(tables["shock_scores"])]
    parts.append("A rise is the mean of the years of a shock over the mean of the years before, counted from a hundred "
                 "persons; *found* is the estimated change in persons over the one beside it.\n\n"
                 "````{dropdown} Every shock, by all who report it\n" + markdown_table(rows, _SHOCKS) + "````\n")
    return "\n".join(parts)


_WITNESS_FIGURES = {
    "undercount": ("Dumbbells of reported over estimated arrivals and departures, an office in each row.",
                   "Reported over estimated arrivals and departures of each office that counts both by residence, from "
                   "the fewest departures to the most. Dots are medians, bars two thirds of its reports, strokes the "
                   "learned factors; in grey, how many reports of arrivals and of departures were learned from."),
    "other_side": ("Scatter of departures over estimates against departures over the other ends' arrivals.",
                   "Departures beside the estimates, against departures beside the arrivals that offices at the other "
                   "ends count of the same moves. Where marks lie on the line, the estimates follow the other ends; "
                   "at one they follow the departures as reported, on the dotted line they lie midway."),
}
_WITNESSES = {"office": "office", "source": "collection", "arrivals": "arrivals", "departures": "departures",
              "spread": "spread of departures", "learned_arrivals": "learned, arrivals",
              "learned_departures": "learned, departures", "other_side": "departures over the other ends' arrivals",
              "pairs": "pairs"}


def witnesses_part() -> str:
    """Who undercounts departures: figures, what they say, and a folded table of all offices, as Markdown.

    A release that was made without the table has a sentence instead.
    """
    from ..results.witness_table import both_sides, checked_departures, witness_rows, witness_sentences
    from ..sources.catalogue import SOURCES

    if not (paths.RELEASE / "witnesses.csv").is_file():
        return "*The release at hand was made without a table of those who report; the next one will have it.*\n"
    table = pd.read_csv(paths.RELEASE / "witnesses.csv", keep_default_na=False, na_values=[""])
    drawn = {"undercount": len(both_sides(table)) > 0, "other_side": len(checked_departures(table)) > 0}
    parts, sentences = [], witness_sentences(table)
    for which, (alt, caption) in _WITNESS_FIGURES.items():
        if drawn[which]:
            artifacts.require(paths.RELEASE / "figures" / f"{which}.png", "humanflows release --profile world")
            parts.append(f"```{{figure}} ../data/release/figures/{which}.png\n:name: figure-{which.replace('_', '-')}\n"
                         f":alt: {alt}\n:width: 100%\n\n{caption}\n```\n")
        parts.append(f"{sentences[which]}\n")
    titles = {name: source.title for name, source in SOURCES.items()}
    rows = [{**row, "source": titles.get(row["source"], row["source"])} for row in witness_rows(table)]
    if rows:
        parts.append("````{dropdown} Every office that counts both sides by residence\n"
                     + markdown_table(rows, _WITNESSES) + "````\n")
    return "\n".join(parts)


def protocols_part(section: str) -> str:
    """One section of the chapter of the validation protocols, as Markdown (``results.protocol_report``).

    A release without the protocols, or without those of the section, has a sentence instead.
    """
    from ..plotting.charts import SOURCE_TITLES
    from ..results import protocol_report
    from ..results.protocol_tables import read_protocols

    tables = read_protocols(paths.RELEASE)
    if not tables:
        return ("*The release at hand was made without the validation protocols. `make validate PROFILE=world` runs "
                "them, and the next `humanflows release` takes their tables along.*\n" if section == "overview"
                else "*Not in the release at hand.*\n")
    blocks = protocol_report.section(section, tables, SOURCE_TITLES)
    if not blocks:
        return "*These protocols have not been run for the release at hand.*\n"
    made = json.loads((paths.RELEASE / "manifest.json").read_text(encoding="utf-8")).get("protocols") or {}
    if section == "overview" and not made.get("of_this_release"):
        blocks.insert(0, "*The protocols were run with other settings, data or code than the estimates beside them in "
                         "the release: read them as scores of an earlier version.*")
    return "\n".join(_block(b) for b in blocks)


def intervals_part(section: str) -> str:
    """One section of the chapter of intervals, as Markdown (``results.interval_report``).

    A release without an ensemble has a sentence instead.
    """
    from ..results import interval_report

    files = {t: paths.RELEASE / f"{t}.csv" for t in ("coverage", "sums", "interval_variants")}
    if not all(f.is_file() for f in files.values()):
        return ("*The release at hand was made without an ensemble. `make ensemble PROFILE=world` trains one and "
                "calibrates its intervals, and the next `humanflows release` takes them along.*\n" if section == "flows"
                else "*Not in the release at hand.*\n")
    files["birthplace_intervals"] = paths.RELEASE / "birthplace_intervals.csv"      # not in earlier releases
    tables = {t: pd.read_csv(f, keep_default_na=False, na_values=[""]) for t, f in files.items() if f.is_file()}
    blocks = interval_report.section(section, tables)
    return "\n".join(_block(b) for b in blocks) if blocks else "*Not in the release at hand.*\n"


_NEEDS = "needs_"    # begins the names of the generated parts about needs


def needs_part(section: str) -> str:
    """One section of the chapter on where data are needed most, as Markdown (``results.needs_report``).

    A release without its tables, or without those of the section, has a sentence instead.
    """
    from ..results import needs_report

    tables = needs_report.read_needs(paths.RELEASE)
    if not tables:
        return ("*The release at hand was made without tables of needs. `humanflows needs --profile world` makes them, "
                "and the next `humanflows release` takes them along.*\n" if section == "countries"
                else "*Not in the release at hand.*\n")
    blocks = needs_report.section(section, tables)
    return "\n".join(_block(b) for b in blocks) if blocks else "*Nothing to show in the release at hand.*\n"


def report_part(section: Callable[[str], list], which: str) -> str:
    """One section of a chapter that is made of blocks, as Markdown."""
    return "\n".join(_block(b) for b in section(which))


def _block(block) -> str:
    """A table, several folded ones, a figure or a paragraph of a report as Markdown."""
    if hasattr(block, "tables"):
        return f"`````{{dropdown}} {block.title}\n" + "\n".join(_block(t) for t in block.tables) + "`````\n"
    if isinstance(block, str):
        return f"{block}\n"
    if hasattr(block, "caption"):
        artifacts.require(paths.RELEASE / "figures" / f"{block.name}.png", "humanflows release --profile world")
        return (f"```{{figure}} ../data/release/figures/{block.name}.png\n:name: figure-"
                f"{block.name.replace('_', '-')}\n:alt: {block.alt}\n:figclass: full-width\n:width: 100%\n\n"
                f"{block.caption}\n```\n")
    table = markdown_table(block.rows, block.heads)
    return f"````{{dropdown}} {block.title}\n{table}````\n" if block.folded else f"**{block.title}**\n\n{table}"


def countries_part() -> str:
    """The list of all country pages with its filter, as Markdown."""
    from ..countries import read_index, render_index

    return render_index(read_index())


def grades_part() -> str:
    """The rule by which the estimates of the release are graded, as Markdown."""
    from ..dataset import open_estimates

    return open_estimates().grade_rule + "\n"


def _score(value, decimals: int) -> str:
    if isinstance(value, str) or value != value:
        return value if isinstance(value, str) else "–"
    return f"{value:,.{decimals}f}"


def sources_part() -> str:
    """Every source with definition, coverage, licence and files, from the catalogue and the registry, as Markdown."""
    from ..sources.catalogue import SOURCES
    from ..sources.registry import registry

    table = registry().set_index("path")
    rows = [{"name": f"[{source.title}](#source-{name.replace('_', '-')})", "table": _tables(source),
             "period": _period(source), "files": len(source.files)} for name, source in SOURCES.items()]
    head = markdown_table(rows, {"name": "source", "table": "table", "period": "years", "files": "files"})
    return head + "\n" + "\n".join(_one_source(source, table) for source in SOURCES.values())


def _tables(source) -> str:
    return ", ".join(f"`{t}`" for t in source.tables)


def _period(source) -> str:
    return "fixed" if source.first_year is None else f"{source.first_year}–\N{WORD JOINER}{source.last_year}"


def _one_source(source, table: pd.DataFrame) -> str:
    from ..source_pages import left_out

    censored = source.censored_below and f"numbers below {source.censored_below:g} are left out by the publisher"
    about = {"What it is": source.definition, "Unit": source.unit, "Who counts": source.side,
             "Stay that counts": source.duration, "Coverage": source.coverage, "Censored": censored,
             "Good for": source.use, "Compared with": source.checked, "Years": _period(source),
             "Vintage": source.vintage, "Licence": source.licence, "Source": source.citation,
             "In the code": f"`{source.name}`, table {_tables(source)}"}
    lines = "\n".join(f"- **{k}:** {_cell(v)}" for k, v in about.items() if v)
    files = [{"path": f"`{p}`", "bytes": f"{int(table.at[p, 'bytes']):,}", "sha256": f"`{table.at[p, 'sha256']}`"}
             for p in source.files]
    listing = markdown_table(files, {"path": "file", "bytes": "bytes", "sha256": "sha256"})
    without = left_out(source.name)
    shown = f"::::{{dropdown}} Files ({len(files)})\n{listing}::::\n" if files else ""
    return (f"(source-{source.name.replace('_', '-')})=\n### {source.title}\n\n{lines}\n\n{shown}"
            + (_block(without) if without else ""))


def build_report(profile: str = "twin") -> str:
    """What made this book, from the manifests: artifacts, executed notebooks, the release, versions; as Markdown."""
    columns = {"artifact": "what", "seed": "seed", "device": "device", "seconds": "seconds", "made_at": "made on",
               "sha256": "sha256", "inputs_digest": "inputs"}
    made = list(artifacts.manifests(paths.artifacts(profile)))
    executed = list(artifacts.manifests(paths.EXECUTED / profile))
    parts = [f"## Executed notebooks, profile {profile}\n\n" + _report_table(executed, columns),
             f"## Artifacts, profile {profile}\n\n" + (_report_table(made, columns) if made else "None here.\n")]
    if (paths.RELEASE / "manifest.json").is_file():
        parts.append("## Release\n\n" + _release_table())
    packages = {"python": platform.python_version(), "humanflows": version("humanflows")}
    packages |= {p: version(p) for p in (*artifacts.PACKAGES, *BOOK_PACKAGES)}
    rows = [{"package": p, "version": v} for p, v in packages.items()]
    parts.append("## Versions\n\n" + markdown_table(rows, {"package": "package", "version": "version"}))
    return "\n".join(parts)


def _report_table(manifests: list[dict], columns: dict) -> str:
    rows = []
    for m in manifests:
        row = dict(m)
        row |= {"artifact": f"`{m['artifact'].removesuffix('.ipynb')}`", "sha256": f"`{m['sha256'][:7]}`",
                "inputs_digest": f"`{m['inputs_digest'][:7]}`",
                "made_at": str(m["made_at"])[:10].replace("-", "\N{NON-BREAKING HYPHEN}")}
        row["seconds"] = "" if m.get("seconds") is None else f"{float(m['seconds']):,.1f}"
        rows.append(row)
    return markdown_table(rows, columns)


def _release_table() -> str:
    rows = [{"file": f"`{f.relative_to(paths.RELEASE).as_posix()}`", "bytes": f"{f.stat().st_size:,}",
             "sha256": f"`{artifacts.sha256(f)[:12]}`"}
            for f in sorted(paths.RELEASE.rglob("*")) if f.is_file()]
    return (f"Made with profile `{release_profile()}`.\n\n"
            + markdown_table(rows, {"file": "file", "bytes": "bytes", "sha256": "sha256"}))


def title_figure() -> str:
    """The release's title figure, or the drawn one that the book keeps for want of a release."""
    for file, link in ((paths.RELEASE / "figures" / "title.png", "../data/release/figures/title.png"),
                       (paths.RELEASE / "figures" / "title.svg", "../data/release/figures/title.svg"),
                       (paths.BOOK / "_static" / "title.svg", "_static/title.svg")):
        if file.is_file():
            return (f"```{{image}} {link}\n:alt: Estimated migration flows between the regions of the world.\n"
                    ":width: 100%\n:align: center\n```\n")
    raise ArtifactError(paths.RELEASE / "figures", "there is no title figure", "run humanflows release first")


def numbers_part(profile: str = "twin") -> str:
    """Which pages show simulated numbers and which real ones, from the manifests of what they show; as Markdown."""
    kinds = {"twin": "simulated", "world": "real"}
    facts, rows = set(_release_facts()), []
    for entry in toc_files():
        source = paths.ROOT / f"{entry}.ipynb"
        if source.is_file():
            manifest = artifacts.read_manifest(paths.EXECUTED / profile / source.name)
            title = nbformat.read(source, as_version=4).cells[0].source.partition("\n")[0]
            of = release_profile() if is_of_the_release(source) else (manifest or {}).get("profile") or profile
            kind = kinds[of]
            made = f"executed {str((manifest or {}).get('made_at', ''))[:10]}, {_seconds(manifest)}"
        else:
            text = (paths.ROOT / f"{entry}.md").read_text(encoding="utf-8")
            title = text.partition("\n")[0]
            parts = {"release_banner", "scores", "ablation", "errors", "witnesses"} & set(MARKER.findall(text))
            protocols = any(p.startswith((_PROTOCOLS, _INTERVALS, _NEEDS)) for p in MARKER.findall(text))
            shows_release = parts or protocols or facts & set(used_facts(text))
            kind = kinds[release_profile()] if shows_release else "no estimates"
            made = "the release" if shows_release else ""
        rows.append({"page": f"[{title.lstrip('# ').strip()}](../{entry})", "kind": f"**{kind}**" if made else kind,
                     "made": made})
    return markdown_table(rows, {"page": "page", "kind": "its numbers are", "made": "made by"})


def _seconds(manifest: dict | None) -> str:
    return "" if not manifest or manifest.get("seconds") is None else f"{float(manifest['seconds']):.0f} s"


def _release_facts() -> list[str]:
    file = paths.RELEASE / "facts.json"
    return list(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else []


_PROTOCOLS = "protocols_"    # begins the names of the generated parts about them


_INTERVALS = "intervals_"    # begins the names of the generated parts about intervals


_SPEED = "speed_"    # begins the names of the generated parts about speed and memory


def speed_part(section: str) -> str:
    """Speed and memory as the benchmarks measured them, a key of ``results.speed.MEASURED``; as Markdown.

    What was not measured has a sentence instead. The figure is drawn when the book is staged.
    """
    from ..results.speed import read_measured, speed_text

    text = speed_text(section, paths.MEASURED)
    if section == "scaling" and read_measured(paths.MEASURED, section):
        text = ("```{figure} scaling.png\n:name: figure-scaling\n"
                ":alt: Seconds per epoch and memory against territories, years and members, on logarithmic axes.\n"
                ":figclass: full-width\n:width: 100%\n\n"
                "Seconds per epoch and memory against territories, years and members, with the fitted "
                "power laws and 95% intervals of their exponents.\n```\n\n" + text)
    return text


def draw_speed(target: Path) -> None:
    """The figure of the chapter on speed, beside its page, if there is anything to draw."""
    from ..results.speed import read_measured

    measured = read_measured(paths.MEASURED, "scaling")
    if measured:
        import matplotlib.pyplot as plt

        from ..plotting import plot_scaling, save, use_style

        with plt.rc_context():
            use_style()
            figure = plot_scaling(measured)
            save(figure, target / "book" / "scaling")
            plt.close(figure)


_KNOWN = "known_"    # begins the names of the generated parts about well-known flows
_KNOWN_FIGURES = {
    "known_flows": (
        "Scatter of our estimates with intervals against published figures, on logarithmic axes.",
        "Our estimates, with 95% intervals, against published figures. In the grey band they are within a factor of "
        "1.5; triangles are figures that bound the flow from one side."),
    "known_flows_furthest": (
        "A row for each figure that is furthest from our estimate: figure, estimate with interval, others' estimates.",
        "The figures that are furthest from our estimates, the worst on top, beside the published estimates of Gaskin "
        "& Abel and of Meta."),
}


def known_part(section: str) -> str:
    """One section of the chapter on well-known flows, as Markdown (``results.known_report``).

    A release that was not held against the figures has a sentence instead. Figures are drawn when the book is staged.
    """
    from ..panel.known_flows import read_known_flows
    from ..results import known_report

    table, known = _compared_known(), read_known_flows()
    if table is None and section != "meanings":
        return ("*The release at hand was not held against these figures. `scripts/compare_known.py` makes the "
                "comparison.*\n" if section == "summary" else "*Not in the release at hand.*\n")
    parts = [_block(b) for b in known_report.section(section, table, known)]
    if section == "summary":
        parts += [f"```{{figure}} {which}.png\n:name: figure-{which.replace('_', '-')}\n:alt: {alt}\n:width: 100%\n\n"
                  f"{caption}\n```\n" for which, (alt, caption) in _known_drawn(table).items()]
    return "\n".join(parts)


def _compared_known() -> pd.DataFrame | None:
    from ..results.known_flows import FILE, read_compared

    file = paths.RELEASE / FILE
    return read_compared(file) if file.is_file() else None


def _known_drawn(table: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """Figures of the chapter that have something to show, by name."""
    from ..results.known_report import furthest

    return {k: v for k, v in _KNOWN_FIGURES.items() if len(table if k == "known_flows" else furthest(table))}


def draw_known(target: Path) -> None:
    """The figures of the chapter on well-known flows, beside its page, if the release was held against figures."""
    table = _compared_known()
    if table is None or not (drawn := _known_drawn(table)):
        return
    import matplotlib.pyplot as plt

    from ..plotting import plot_known_flows, plot_known_misses, save, use_style
    from ..results.known_report import finding, furthest

    with plt.rc_context():
        use_style()
        for which in drawn:
            if which == "known_flows":
                figure = plot_known_flows(table, finding(table))
            else:
                rows = furthest(table)
                figure = plot_known_misses(rows, f"The {len(rows)} published figures that are furthest from ours")
            save(figure, target / "book" / which)
            plt.close(figure)


def generated_parts(profile: str) -> dict[str, Callable[[], str]]:
    """What stands in the place of each marker of a page, by its name."""
    from .. import method_pages, reporting_pages, source_pages
    from ..results import interval_report, known_report, needs_report, speed
    from ..results.protocol_report import SECTIONS

    return {"title_figure": title_figure, "sources": sources_part, "scores": scores_part, "ablation": ablation_part,
            "errors": errors_part, "witnesses": witnesses_part,
            **{f"{_PROTOCOLS}{s}": partial(protocols_part, s) for s in SECTIONS},
            **{f"{_SPEED}{s}": partial(speed_part, s) for s in speed.MEASURED},
            **{f"{_NEEDS}{s}": partial(needs_part, s) for s in needs_report.SECTIONS},
            **{f"{_INTERVALS}{s}": partial(intervals_part, s) for s in interval_report.SECTIONS},
            **{f"{_KNOWN}{s}": partial(known_part, s) for s in known_report.SECTIONS},
            **{f"panel_{s}": partial(report_part, source_pages.section, s) for s in source_pages.SECTIONS},
            **{f"reporting_{s}": partial(report_part, reporting_pages.section, s) for s in reporting_pages.SECTIONS},
            **{f"method_{s}": partial(report_part, method_pages.section, s) for s in method_pages.SECTIONS},
            "numbers": lambda: numbers_part(profile),
            "release_banner": _banner_of_release, "build_report": lambda: build_report(profile),
            "countries": countries_part, "grades": grades_part}


def fill_page(page: Path, facts: dict[str, str], profile: str) -> str:
    """Text of a page with its generated parts.

    Raises
    ------
    ConfigError
        For an unknown fact, an unknown part, or a marker that is left over.
    """
    text = page.read_text(encoding="utf-8")
    for key in used_facts(text):
        if key not in facts:
            near = get_close_matches(key, list(facts), n=1, cutoff=0.0)
            raise ConfigError(f"book/{page.name}", f"unknown fact {key!r}",
                              f"did you mean {near[0]!r}? Facts are written by humanflows release", key=key)
    parts = generated_parts(profile)

    def generated(match: re.Match) -> str:
        if match[1] not in parts:
            raise ConfigError(f"book/{page.name}", f"unknown generated part {match[1]!r}",
                              "use one of " + ", ".join(parts), key=match[0])
        return parts[match[1]]()

    filled = MARKER.sub(generated, text)
    if left := re.search(r"<!-- *generated.*", _CODE.sub("", filled)):
        raise ConfigError(f"book/{page.name}", "a marker of a generated part is left over",
                          "write it as it stands in other pages, alone in its line", key=left[0])
    return filled
