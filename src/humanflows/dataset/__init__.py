"""The estimates in people's hands: one door to the released files, and the formats that others like to read.

:func:`open_estimates` answers questions about corridors and territories from ``data/release``, or from a package made
of it. It reads files and knows no model: neither torch nor xarray is imported on the way to an answer.
"""
from pathlib import Path


def open_estimates(folder: Path | str | None = None):
    """Open the estimates of a release or of a package made of it.

    Parameters
    ----------
    folder : the release or package; ``data/release`` of this checkout by default.

    Returns
    -------
    humanflows.dataset.estimates.Estimates

    Raises
    ------
    ArtifactError
        When the folder holds no release, or one of a format that this version does not read. A file that is damaged,
        or not the one that the release lists, is refused when it is first used.
    """
    from .estimates import Estimates

    return Estimates(folder)


__all__ = ["open_estimates"]
