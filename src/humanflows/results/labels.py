"""Whether released numbers are of the real world or simulated: said by the data themselves, wherever they go."""
from ..errors import ArtifactError

LABEL = "data_kind"         # attribute of NetCDF files, column of tables, field of JSON
SIMULATED = "simulated"
KINDS = {"world": "estimates from real sources", "twin": SIMULATED}
WARNING = ("SIMULATED DATA: these numbers come from a simulated world that borrows the names of real territories. They "
           "say nothing about real migration.")


def kind_of(profile: str | None, file) -> str:
    """What the data of a profile are, one of the values of ``KINDS``.

    Parameters
    ----------
    profile : as a release's manifest names it.
    file : the manifest, for messages.

    Raises
    ------
    ArtifactError
        For a profile that there is not, or none.
    """
    if profile not in KINDS:
        raise ArtifactError(file, f"it does not say whether its data are real: profile {str(profile)[:40]!r}",
                            f"make the release again; profiles are {', '.join(KINDS)}", key="profile")
    return KINDS[profile]


def attributes_of(profile: str, file="release") -> dict[str, str]:
    """Attributes that say so in a NetCDF file."""
    kind = kind_of(profile, file)
    return {LABEL: kind, **({"warning": WARNING} if kind == SIMULATED else {})}
