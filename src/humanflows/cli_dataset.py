"""Commands that answer from the released estimates: flow, top, net, total, stock, by-birthplace, draws, sum,
change, rank; and package.

Part of the command ``humanflows``. Nothing heavy is imported before an answer: the first comes in under a second. Bad
input is answered by one line and exit status 2.
"""
import csv
import json
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .console import App, say_error
from .errors import InputError

app = App(no_args_is_help=True, add_completion=False, pretty_exceptions_show_locals=False, help=__doc__)


class Format(StrEnum):
    """How an answer is written."""

    table = "table"
    csv = "csv"
    json = "json"


Place = Annotated[str, typer.Argument(help="ISO code or English name.")]
As = Annotated[Format, typer.Option("--format", "-f", help="How the answer is written.")]
Group = Annotated[str, typer.Argument(help="A territory, a region as Sub-Saharan Africa, world, or several of these "
                                      "parted by semicolons.")]
Data = Annotated[Path | None, typer.Option("--data", help="Folder of a release or package; default: data/release.")]
Years = Annotated[str | None, typer.Option("--year", "--years", "-y", help="A year, 2015, or a range with both ends, "
                                           "2010-2015; all by default.")]


@app.command()
def flow(origin: Place, destination: Place, year: Years = None, output: As = Format.table, data: Data = None) -> None:
    """People who moved from one territory to another: estimate, interval, who spoke, grade."""
    _answer(lambda a: a.flow(origin, destination, year), output, data)


@app.command()
def top(
    side: Annotated[str, typer.Argument(help="inflow or outflow.")],
    place: Place,
    year: Annotated[str, typer.Option("--year", "-y", help="Calendar year.")],
    number: Annotated[int, typer.Option("--number", "-n", help="How many.")] = 10,
    output: As = Format.table,
    data: Data = None,
) -> None:
    """Largest flows into or out of a territory in one year."""
    _answer(lambda a: a.top(side, place, year, number), output, data)


@app.command()
def net(
    place: Place,
    other: Annotated[str | None, typer.Argument(help="Another territory: net migration with it alone.")] = None,
    year: Years = None,
    output: As = Format.table,
    data: Data = None,
) -> None:
    """Inflow, outflow and net migration of a territory: with all others, or with one.

    With one, the interval is put together from those of the two directions as if their errors were independent; it is
    wider than need be where errors are shared.
    """
    _answer(lambda a: a.net(place, other, year), output, data, assumed="net_migration")


@app.command()
def total(place: Place, other: Place, year: Years = None, output: As = Format.table, data: Data = None) -> None:
    """People who moved between two territories, in both directions together.

    The interval is put together from those of the two directions as if their errors were fully shared; it is wider
    than need be where they are not.
    """
    _answer(lambda a: a.total(place, other, year), output, data, assumed="total")


@app.command()
def stock(
    birthplace: Annotated[str | None, typer.Option(help="ISO code or English name; all by default.")] = None,
    residence: Annotated[str | None, typer.Option(help="ISO code or English name; all by default.")] = None,
    year: Years = None,
    output: As = Format.table,
    data: Data = None,
) -> None:
    """People by birthplace and residence on 1 January."""
    _answer(lambda a: a.stock(birthplace, residence, year), output, data)


@app.command()
def by_birthplace(
    origin: Annotated[str | None, typer.Option(help="ISO code or English name.")] = None,
    destination: Annotated[str | None, typer.Option(help="ISO code or English name.")] = None,
    birthplace: Annotated[str | None, typer.Option(help="ISO code or English name.")] = None,
    year: Years = None,
    output: As = Format.table,
    data: Data = None,
) -> None:
    """Flows by birthplace: of a corridor, an origin, a destination, or of those born somewhere."""
    _answer(lambda a: a.by_birthplace(origin, destination, birthplace, year), output, data)


@app.command()
def draws(origin: Place, destination: Place, year: Years = None, output: As = Format.table, data: Data = None) -> None:
    """What each draw of the world says of a corridor."""
    _answer(lambda a: _drawn(a).draws(origin, destination, year), output, data)


@app.command("sum")
def sum_of(
    origins: Group = "world",
    destinations: Group = "world",
    year: Years = None,
    output: As = Format.table,
    data: Data = None,
) -> None:
    """All who move from some territories to others, with 50, 80 and 95% intervals from the draws."""
    _answer(lambda a: _drawn(a).sum(origins, destinations, year), output, data)


@app.command()
def change(
    before: Annotated[str, typer.Argument(help="A year, 2015, or a period, 2010-2015.")],
    after: Annotated[str, typer.Argument(help="A year or a period.")],
    origins: Group = "world",
    destinations: Group = "world",
    output: As = Format.table,
    data: Data = None,
) -> None:
    """How much more move in a year of one period than of another, with intervals from the draws."""
    _answer(lambda a: _drawn(a).change(before, after, origins, destinations), output, data)


@app.command()
def rank(
    side: Annotated[str, typer.Argument(help="inflow or outflow.")],
    place: Place,
    year: Annotated[str, typer.Option("--year", "-y", help="Calendar year.")],
    number: Annotated[int, typer.Option("--number", "-n", help="How many.")] = 10,
    output: As = Format.table,
    data: Data = None,
) -> None:
    """Ranks of the flows into or out of a territory in one year, and how sure they are by the draws."""
    _answer(lambda a: _drawn(a).rank(side, place, year, number), output, data)


@app.command()
def package(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to fill; it must be empty or not there.")],
    data: Data = None,
) -> None:
    """Write the estimates as NetCDF by year, Parquet, CSV, JSON, and a Frictionless data package that lists them."""
    def write():
        from .dataset.package import write_package

        typer.echo(f"→ {write_package(output, data, say=typer.echo)}")

    _guard(write)


def _drawn(answers):
    from .dataset.drawn import Drawn

    return Drawn(answers)


def _answer(ask: Callable, output: Format, data: Path | None, *, assumed: str = "") -> None:
    """Write an answer; of two territories also, on stderr, what the interval of the column ``assumed`` takes for
    granted."""
    def run():
        from .dataset.answers import Answers
        from .dataset.pairs import ASSUMPTION

        columns = ask(Answers(data))
        _write(columns, output)
        if "other" in columns and f"{assumed}_lower" in columns:
            typer.echo(f"{assumed}_lower, {assumed}_upper: {ASSUMPTION[assumed]}", err=True)

    _guard(run)


def _guard(run: Callable[[], None]) -> None:
    """Bad input ends in one line and exit status 2; a reader that closes the pipe (``| head``) in nothing."""
    try:
        run()
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stdout = None   # the interpreter would complain again when it closes it
        raise typer.Exit(0) from None
    except (InputError, OSError) as error:
        say_error(error, None if isinstance(error, InputError) else f"{error.filename}: {error.strerror}")
        raise typer.Exit(2) from None


def _write(columns: dict, output: Format) -> None:
    names, rows = list(columns), list(zip(*(_values(c) for c in columns.values())))
    if output is Format.json:
        # Where letters beyond ASCII cannot be printed, JSON has escapes of its own for them.
        unicode = (sys.stdout.encoding or "ascii").lower().replace("-", "") in ("utf8", "utf16", "utf32")
        json.dump([{n: _number(v) for n, v in zip(names, row)} for row in rows], sys.stdout, ensure_ascii=not unicode,
                  indent=1)
        sys.stdout.write("\n")
    elif output is Format.csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([_number(v) for v in row] for row in rows)
    else:
        cells = [names, *([_shown(v, n) for v, n in zip(row, names)] for row in rows)]
        widths = [max(len(row[k]) for row in cells) for k in range(len(names))]
        right = [all(isinstance(row[k], int | float) for row in rows) and bool(rows) for k in range(len(names))]
        for row in cells:
            sys.stdout.write("  ".join(c.rjust(w) if r else c.ljust(w)
                                       for c, w, r in zip(row, widths, right)).rstrip() + "\n")


def _values(column) -> list:
    """Python values of a column; of float32 the shortest that tell it from its neighbours."""
    return [float(x) for x in column.astype(str)] if column.dtype == "float32" else column.tolist()


def _number(value):
    """A whole number without its point; an end that is not there as nothing."""
    if not isinstance(value, float):
        return value
    if value != value or value in (float("inf"), float("-inf")):
        return None
    value = float(f"{value:.10g}")
    return int(value) if value.is_integer() else value


def _shown(value, column: str) -> str:
    if not isinstance(value, float):
        return str(value)
    if value != value:
        return ""
    if column == "share":
        return f"{value:.1%}"
    return f"{value:,.0f}" if abs(value) >= 10 or value == 0 else f"{value:.1f}"
