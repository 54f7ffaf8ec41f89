"""Commands about sources: what changed between two vintages of one."""
from pathlib import Path
from typing import Annotated

import typer

from .artifacts import write_text
from .console import say_error
from .errors import InputError

app = typer.Typer()
SHOWN = 20   # cells


@app.command()
def compare_vintages(
    old: Annotated[Path, typer.Argument(help="Folder laid out like data/registry.csv, the file of a source that has "
                                        "one, or a tidy table (.parquet).")],
    new: Annotated[Path, typer.Argument(help="The same for the newer vintage.")],
    source: Annotated[str | None, typer.Option(help="Name of the source in the catalogue; not needed for tidy "
                                               "tables.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write every cell that differs as CSV.")] = None,
) -> None:
    """Say which cells of a source changed from one vintage to the next, and by how many persons."""
    from .sources import vintages

    try:
        found = vintages.compare_vintages(*(vintages.read_vintage(place, source) for place in (old, new)))
        if output is not None:
            write_text(output, found.to_csv(index=False, float_format="%.10g"))
    except (InputError, OSError) as error:
        say_error(error)
        raise typer.Exit(1) from None
    if found.empty:
        typer.echo("no cell differs")
        return
    typer.echo(vintages.summarise_vintages(found).to_string(index=False, float_format="{:,.0f}".format))
    typer.echo(f"\nthe {min(SHOWN, len(found))} largest differences of {len(found):,}")
    typer.echo(found.head(SHOWN).drop(columns="year").to_string(index=False, float_format="{:,.0f}".format))
    if output is not None:
        typer.echo(f"→ {output}")
