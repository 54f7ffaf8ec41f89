"""What the lessons need: a check that tells students whether an exercise is solved, and never stops the notebook."""
from collections.abc import Iterator
from contextlib import contextmanager

from .errors import ArtifactError, SourceFileError

NOT_THE_ANSWER = (ArtifactError, SourceFileError, OSError, MemoryError)     # of files and of the machine


@contextmanager
def check(exercise: str) -> Iterator[None]:
    """Say whether an exercise is solved: run the block, print one line, and go on whatever happened.

    Prints ``Exercise 1: solved`` when the block runs to its end, else ``Exercise 1: not yet: <reason>`` with the
    message of the assertion that failed, or the name and message of any other error. Errors are swallowed, so that a
    lesson runs from top to bottom with its exercises open; an interrupt or an exit is not, and neither is an error
    that no answer can be at fault for, of ``NOT_THE_ANSWER``: a book must not be published with it.

    Parameters
    ----------
    exercise : number of the exercise, as in the text.

    Examples
    --------
    >>> with check("1"):
    ...     assert sum([3, -1, -1]) == 0, "net migration of a closed world sums to zero"
    Exercise 1: not yet: net migration of a closed world sums to zero
    """
    try:
        yield
    except NOT_THE_ANSWER:
        raise
    except Exception as error:
        print(f"Exercise {exercise}: not yet: {_reason(error)}")
    else:
        print(f"Exercise {exercise}: solved")


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, NotImplementedError) or "ellipsis" in text:
        return "a gap is still open"
    if isinstance(error, AssertionError):
        return text or "the answer does not pass"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
