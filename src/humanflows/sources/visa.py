"""The Passport Index: what the holder of a passport needs in order to enter, in January 2025."""
from pathlib import Path

import pandas as pd

from ..errors import SourceFileError
from ..schema import validate
from ..territories import check_codes
from .cells import read_texts
from .omissions import OUTSIDE as OUTSIDE_TERRITORIES
from .omissions import SAME_TERRITORY, Omissions

COLUMNS = ["Passport", "Destination", "Requirement"]
OUTSIDE = frozenset({"XKX", "VAT"})  # Kosovo, Holy See
# Ranks from 0 to 1, not distances. An eta is a registration of travellers who need no visa, so it stands with a number
# of days; "visa free" is what the file writes where days are not limited (free movement in Europe) or not known.
EASE = {"visa free": 1.0, "eta": 0.75, "visa on arrival": 0.5, "e-visa": 0.5, "visa required": 0.25,
        "no admission": 0.0}
DAYS_EASE = 0.75   # visa free for a stated number of days
LONGEST = 366      # days; more would be a permit to stay, and no such entry exists
HOME = "-1"        # passport and destination are the same


def read_visa(path: Path, *, omitted: Omissions | None = None) -> pd.DataFrame:
    """Ease of entry for visitors, by passport and destination, in January 2025.

    Parameters
    ----------
    path : ``passport-index-tidy-iso3.csv``.

    Returns
    -------
    Table ``pair``: ``visa_ease`` of the passport of ``origin`` at ``destination``, 1 visa free without a stated limit,
    0.75 visa free for a number of days or by an electronic authorisation, 0.5 visa on arrival or online, 0.25 visa
    required beforehand, 0 no admission. Territories without a passport of their own are left out.

    Raises
    ------
    SourceFileError
        For a file that is missing or no CSV, lacks a column, or holds a requirement that is none of these.
    UnknownTerritoryError, DuplicateKeyError
    """
    raw = read_texts(path, COLUMNS)
    inside = check_codes(raw["Passport"], file=path, outside=OUTSIDE) & check_codes(raw["Destination"], file=path,
                                                                                    outside=OUTSIDE)
    ease = _ease(raw, path)
    omitted = Omissions() if omitted is None else omitted
    frame = pd.DataFrame({"source": "visa", "variable": "visa_ease", "origin": raw["Passport"],
                          "destination": raw["Destination"], "value": ease})
    frame = omitted.keep(frame, inside, OUTSIDE_TERRITORIES, persons=None, year=None)
    return validate(omitted.keep(frame, frame["origin"] != frame["destination"], SAME_TERRITORY, persons=None,
                                 year=None), "pair", file=path)


def _ease(raw: pd.DataFrame, path: Path) -> pd.Series:
    """Ease of each row; NaN at home."""
    requirement = raw["Requirement"]
    days = pd.to_numeric(requirement.where(requirement.str.fullmatch("[0-9]+")), errors="coerce")
    ease = requirement.map(EASE).mask(days.between(1, LONGEST), DAYS_EASE).astype("float64")
    home = raw["Passport"] == raw["Destination"]
    bad = (ease.isna() & ~home) | (home != (requirement == HOME))
    if bad.any():
        row = bad.idxmax()
        raise SourceFileError(path, f"unknown requirement {requirement[row]!r}",
                              f"expected days from 1 to {LONGEST} or one of {', '.join(EASE)} ({HOME}: at home); fetch "
                              "the file again, or add it to the scale", key=f"row {row}: {raw.loc[row].to_list()}")
    return ease
