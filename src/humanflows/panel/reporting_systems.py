"""What a migrant is in each reporter's system, and what is expected of its numbers: definitions as data.

``data/reporting_systems.csv`` has a row for every reporter, system and span of years; ``data/reporting_classes.csv``
says what is expected of the numbers of such a system; ``data/duration_coefficients.csv`` holds the published factors
between durations of stay. A ``*`` leaves a key open. Of the rows that speak of a report, the most specific one counts:
one that names the reporter before one that does not; among these, one that names the source; then the side; then the
criterion. A source cell may name several sources, joined by ``|``; an empty year leaves the span open.
"""
import re
from pathlib import Path

import numpy as np
import pandas as pd

from .. import paths
from ..errors import DuplicateKeyError, SchemaError, YearRangeError
from ..schema import FIRST_YEAR, LAST_YEAR
from ..territories import check_codes

ANY, SEVERAL, AND = "*", "|", ";"
KEYS = ("reporter", "source", "side", "criterion")    # in the order of what makes a row more specific
SERIES = ["source", "reporter", "side", "criterion"]
SIDES = ("immigration", "emigration", "both")
CRITERIA = ("residence", "citizenship", "birthplace")
FLOW_TYPES = ("movement", "transition")
NO_TERRITORY = frozenset({"META", ANY})

SYSTEMS = ("register", "permits", "border cards", "border records", "passenger survey", "household survey",
           "census-based estimate", "combined estimate", "administrative registrations", "platform")
# Months of a stay (or an absence) that make a migrant; the note says whether intended or actual.
DURATIONS = ("none", "3", "6", "12", "permanent", "unknown")
CLASSES = {
    "register_exchange": "population register that is told by other registers who has arrived there",
    "register_corrected": "register that strikes off who is found to have left, or whose permit has ended",
    "register_declared": "register in which a departure is known only when the leaver declares it",
    "register_permanent": "register of permanent residence alone: others who come or go are not counted",
    "permits": "permits granted: not all who come need one, not all who get one have just come",
    "border_cards": "all who cross the border say how long they mean to stay or to stay away",
    "border_records": "matched border crossings tell how long people stayed or stayed away",
    "survey": "a sample of travellers or of households",
    "estimate": "the office's estimate from several sources, other countries' statistics among them",
    "administrative": "registrations for another purpose, such as work or insurance",
    "platform": "accounts of a social network whose place changed, weighted to the population",
}
CHECKED = {
    "page": "the definition was read in the reference named",
    "data": "seen in the numbers: equal to, or apart from, those of another collection; a jump",
    "literature": "as the reference named is remembered; it was not read for this table",
    "no": "not verified",
}
SYSTEM_COLUMNS = ("source", "reporter", "side", "criterion", "first_year", "last_year", "system", "duration",
                  "flow_type", "class", "checked", "breaks", "reference", "note")
CLASS_COLUMNS = ("part", "name", "side", "log_bias_mean", "log_bias_sd", "spread", "basis", "reference", "note")
COEFFICIENT_COLUMNS = ("duration", "model", "coefficient", "reference")
_CLOSED = {"side": (*SIDES, ANY), "criterion": (*CRITERIA, ANY), "system": SYSTEMS, "duration": DURATIONS,
           "flow_type": FLOW_TYPES, "class": tuple(CLASSES), "checked": tuple(CHECKED)}
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_BREAK = re.compile(r"(\d{4}): \S.*")


def read_systems(file: Path | None = None) -> pd.DataFrame:
    """Definitions of all reporters.

    Parameters
    ----------
    file : default ``data/reporting_systems.csv``.

    Returns
    -------
    One row a definition, indexed by its line in the file: the columns of ``SYSTEM_COLUMNS``, years as integers (open
    ends as the first and last year of ``schema``).

    Raises
    ------
    SchemaError
        For a column too few or too many, or a value that is not declared here.
    UnknownTerritoryError
        For a reporter that is no territory.
    YearRangeError
        For a year that is none, a span that ends before it begins, or a break outside it.
    DuplicateKeyError
        For two rows of equal specificity that speak of the same report.
    """
    file = Path(file or paths.REPORTING_SYSTEMS)
    frame = read_text_table(file, SYSTEM_COLUMNS)
    check_codes(frame["reporter"], file=file, outside=NO_TERRITORY)
    for column, allowed in _CLOSED.items():
        _check_among(frame, column, allowed, file)
    _refuse(frame, ~frame["source"].map(_is_source_cell), "source", file,
            "write *, one name of the catalogue, or several distinct ones joined by |")
    _refuse(frame, frame["reference"] == "", "reference", file, "name a key of book/references.bib")
    frame = frame.assign(first_year=_years(frame["first_year"], FIRST_YEAR, file),
                         last_year=_years(frame["last_year"], LAST_YEAR, file))
    backward = frame["first_year"] > frame["last_year"]
    if backward.any():
        raise YearRangeError(file, "the span ends before it begins", "exchange first_year and last_year, or split the "
                             "row", key=_row(frame, backward))
    _check_breaks(frame, file)
    _check_overlaps(frame, file)
    return frame


def read_classes(file: Path | None = None) -> pd.DataFrame:
    """Expected log bias of a report against the flow of stays of twelve months, by duration and by class and side.

    Parameters
    ----------
    file : default ``data/reporting_classes.csv``.

    Returns
    -------
    Columns of ``CLASS_COLUMNS``; numbers as float, ``spread`` NaN for durations. The bias of a report is the term of
    its duration plus that of its class and side.

    Raises
    ------
    SchemaError
        For a value that is not declared or a term that is missing.
    DuplicateKeyError
        For a term that stands twice.
    """
    file = Path(file or paths.REPORTING_CLASSES)
    frame = read_text_table(file, CLASS_COLUMNS)
    _check_among(frame, "part", ("duration", "class"), file)
    _check_among(frame, "basis", ("literature", "choice"), file)
    for column in ("log_bias_mean", "log_bias_sd", "spread"):
        empty = (frame[column] == "") & (column == "spread") & (frame["part"] == "duration")
        number = pd.to_numeric(frame[column].mask(frame[column] == ""), errors="coerce")
        bad = ~np.isfinite(number) | ((number <= 0) if column != "log_bias_mean" else False)
        _refuse(frame, bad & ~empty, column, file, "write a number; deviation and spread above zero")
        frame[column] = number
    twice = frame.duplicated(["part", "name", "side"])
    if twice.any():
        raise DuplicateKeyError(file, "a term stands twice", "keep one of the rows", key=_row(frame, twice))
    expected = {("duration", d, ANY) for d in DURATIONS} | {
        ("class", c, s) for c in CLASSES for s in _sides_of(c)}
    found = set(frame[["part", "name", "side"]].itertuples(index=False, name=None))
    for which, problem, remedy in ((found - expected, "is no term", "use the durations, classes and sides of "
                                    "panel/reporting_systems.py"),
                                   (expected - found, "has no prior", "add a row")):
        if which:
            raise SchemaError(file, f"{', '.join(sorted('|'.join(w) for w in which))} {problem}", remedy)
    return frame


def read_coefficients(file: Path | None = None) -> pd.DataFrame:
    """Published factors that turn a report with a duration of stay into one with twelve months.

    Parameters
    ----------
    file : default ``data/duration_coefficients.csv``.

    Returns
    -------
    Columns ``duration, model, coefficient, reference``.

    Raises
    ------
    SchemaError
        For an unknown duration or a factor that is no positive number.
    """
    file = Path(file or paths.DURATION_COEFFICIENTS)
    frame = read_text_table(file, COEFFICIENT_COLUMNS)
    _check_among(frame, "duration", DURATIONS, file)
    number = pd.to_numeric(frame["coefficient"], errors="coerce")
    _refuse(frame, ~(np.isfinite(number) & (number > 0)), "coefficient", file, "write a positive number")
    return frame.assign(coefficient=number)


def describe_reports(flow: pd.DataFrame, systems: pd.DataFrame | None = None) -> pd.DataFrame:
    """The definition of every series and year of a table of reports.

    Parameters
    ----------
    flow : columns ``source, reporter, side, criterion, year``; others are not used, but for ``flow_type``, which must
        agree where it stands.
    systems : as of `read_systems`; default the project's own.

    Returns
    -------
    One row a distinct series and year: ``source, reporter, side, criterion, year, row`` (line of the definition),
    ``system, duration, flow_type, class, checked, breaks, reference, note``.

    Raises
    ------
    SchemaError
        For a series without a definition, or one whose flow type is another.
    """
    systems = read_systems() if systems is None else systems
    keys = [*SERIES, "year"]
    told = [c for c in ("flow_type",) if c in flow]
    series = flow[[*keys, *told]].drop_duplicates().sort_values(keys, ignore_index=True)
    chosen = np.zeros(len(series), dtype=np.int64)
    for row in systems.iloc[np.argsort(_specificity(systems), kind="stable")].itertuples():
        fits = series["year"].between(row.first_year, row.last_year).to_numpy()
        for key in KEYS:
            cell = getattr(row, key)
            if cell != ANY:
                fits = fits & series[key].isin(cell.split(SEVERAL)).to_numpy()
        chosen[fits] = row.Index
    if (chosen == 0).any():
        raise SchemaError(paths.REPORTING_SYSTEMS, "a system without a definition", "add a row for this reporter, "
                          "source and year: what is counted, after which stay, who says so",
                          key=_named(series[chosen == 0]))
    columns = ["system", "duration", "flow_type", "class", "checked", "breaks", "reference", "note"]
    found = systems.loc[chosen, columns].reset_index(drop=True)
    if told:
        other = (series["flow_type"] != found["flow_type"]).to_numpy()
        if other.any():
            kinds = f"{series['flow_type'][other].iloc[0]} and {found['flow_type'][other].iloc[0]}"
            raise SchemaError(paths.REPORTING_SYSTEMS, f"source and definition disagree on the flow type: {kinds}",
                              "mend the row or the reader", key=_named(series[other]))
    return pd.concat([series[keys].assign(row=chosen), found], axis=1)


def add_priors(described: pd.DataFrame, classes: pd.DataFrame | None = None) -> pd.DataFrame:
    """Expected log bias of described reports.

    Parameters
    ----------
    described : with columns ``duration, class, side``, as of `describe_reports`.
    classes : as of `read_classes`; default the project's own.

    Returns
    -------
    ``described`` with ``log_bias_mean`` (sum of the terms of duration and class), ``log_bias_sd`` (their deviations
    taken as independent) and ``spread`` (standard deviation of the log of a single report around its biased mean).
    """
    terms = (read_classes() if classes is None else classes).set_index(["part", "name", "side"])
    duration = terms.loc[[("duration", d, ANY) for d in described["duration"]]]
    of_class = terms.loc[[("class", c, s) for c, s in zip(described["class"], described["side"])]]
    return described.assign(
        log_bias_mean=duration["log_bias_mean"].to_numpy() + of_class["log_bias_mean"].to_numpy(),
        log_bias_sd=np.hypot(duration["log_bias_sd"].to_numpy(), of_class["log_bias_sd"].to_numpy()),
        spread=of_class["spread"].to_numpy())


def _sides_of(name: str) -> tuple[str, ...]:
    return ("both",) if name == "platform" else ("immigration", "emigration")


def read_text_table(file: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    """A table of text with exactly these columns, indexed by the line in the file.

    Raises
    ------
    SchemaError
        For a file that is no such table.
    """
    try:
        frame = pd.read_csv(file, dtype=str, keep_default_na=False, index_col=False)
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise SchemaError(file, f"the table cannot be read: {error}", "write it as UTF-8 text with commas, a cell with "
                          "commas in double quotes") from error
    if list(frame.columns) != list(columns):
        differ = sorted(set(frame.columns) ^ set(columns)) or list(frame.columns)
        raise SchemaError(file, f"the columns are not the declared ones: {', '.join(differ)}",
                          f"write the header {','.join(columns)}")
    frame.index = pd.RangeIndex(2, len(frame) + 2)
    return frame


def _check_among(frame: pd.DataFrame, column: str, allowed: tuple[str, ...], file: Path) -> None:
    _refuse(frame, ~frame[column].isin(allowed), column, file, f"use one of {', '.join(allowed)}")


def _refuse(frame: pd.DataFrame, bad: pd.Series, column: str, file: Path, remedy: str) -> None:
    if bad.any():
        raise SchemaError(file, f"{column} {frame.loc[bad.idxmax(), column]!r} cannot be used", remedy,
                          key=_row(frame, bad))


def _row(frame: pd.DataFrame, bad: pd.Series) -> str:
    return f"row {bad.idxmax()}"


def _is_source_cell(cell: str) -> bool:
    names = cell.split(SEVERAL)
    return cell == ANY or (len(set(names)) == len(names) and all(map(_NAME.fullmatch, names)))


def _years(cells: pd.Series, empty: int, file: Path) -> pd.Series:
    year = pd.to_numeric(cells.where(cells.str.fullmatch(r"\d{4}")), errors="coerce").where(cells != "", empty)
    bad = ~year.between(FIRST_YEAR, LAST_YEAR)
    if bad.any():
        raise YearRangeError(file, f"{cells.name} {cells[bad.idxmax()]!r} is no year between {FIRST_YEAR} and "
                             f"{LAST_YEAR}", "write four digits, or leave the cell empty for an open span",
                             key=f"row {bad.idxmax()}")
    return year.astype("int64")


def _check_breaks(frame: pd.DataFrame, file: Path) -> None:
    for line, cell, first, last in frame[["breaks", "first_year", "last_year"]].itertuples(name=None):
        for one in cell.split(AND) if cell else ():
            found = _BREAK.fullmatch(one.strip())
            if found is None:
                raise SchemaError(file, f"break {one!r} cannot be read", "write `year: what`, several joined by ;",
                                  key=f"row {line}")
            if not first <= int(found[1]) <= last:
                raise YearRangeError(file, f"the break of {found[1]} lies outside the row's span", "move it to the row "
                                     "that holds the year", key=f"row {line}")


def _specificity(frame: pd.DataFrame) -> np.ndarray:
    """A number that is larger the more a row names, the first keys counting most."""
    named = np.column_stack([frame[key].to_numpy() != ANY for key in KEYS])
    return named @ (1 << np.arange(len(KEYS))[::-1])


def _check_overlaps(frame: pd.DataFrame, file: Path) -> None:
    # Rows of equal specificity leave the same keys open: they speak of one report where the named ones agree.
    groups = frame.groupby([_specificity(frame), "reporter", "side", "criterion"], sort=False)
    for _, rows in groups:
        spans = list(rows[["source", "first_year", "last_year"]].itertuples(name=None))
        for k, (line, source, first, last) in enumerate(spans):
            for other, its_source, its_first, its_last in spans[k + 1:]:
                shared = set(source.split(SEVERAL)) & set(its_source.split(SEVERAL))
                if shared and first <= its_last and its_first <= last:
                    raise DuplicateKeyError(
                        file, f"two rows of equal specificity define {rows['reporter'].iloc[0]} in "
                        f"{max(first, its_first)}", "end the one before the other begins, or name more keys",
                        key=f"rows {line} and {other}")


def _named(series: pd.DataFrame) -> str:
    """A few of the series with their years, for an error."""
    groups = series.groupby(SERIES, sort=False)["year"].agg(["min", "max"])
    named = [f"{'|'.join(keys)} {first}–{last}" for keys, first, last in groups.itertuples(name=None)]
    more = len(named) - 5
    return ", ".join(named[:5]) + (f" and {more} more" if more > 0 else "")
