"""What every command prints, said once: colours only where they are wanted, and text that any terminal can show."""
import os
import sys

import typer


class App(typer.Typer):
    """A command that does not end in a traceback where the terminal's encoding lacks a letter."""

    def __call__(self, *args, **kwargs):
        for stream in (sys.stdout, sys.stderr):
            # What is put in the place of a file (by a notebook, by a test) has no encoding to mend.
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")
        return super().__call__(*args, **kwargs)


def say_error(error: Exception, text: str | None = None) -> None:
    """Print an error in one line on stderr: its kind and its text; red unless ``NO_COLOR`` is set [1]_.

    Parameters
    ----------
    error : what happened.
    text : to print in the place of ``str(error)``.

    References
    ----------
    .. [1] https://no-color.org: any value that is not empty.
    """
    shown = " ".join((str(error) if text is None else text).split())
    typer.secho(f"{type(error).__name__}: {shown}", fg=None if os.environ.get("NO_COLOR") else "red", err=True)
