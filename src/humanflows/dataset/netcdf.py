"""The estimates as NetCDF after the CF conventions: compressed, one chunk a year, flags with their meanings."""
from pathlib import Path

import netCDF4
import numpy as np

from .. import artifacts
from . import grades
from .answers import Answers
from .evidence import BASIS, BASIS_MEANINGS, EVIDENCE, EVIDENCE_MEANINGS, SEEN, SEEN_MEANINGS
from .files import ENDS, PLACES
from .names import name

PERSONS = "count"     # UDUNITS knows no persons; what is counted is said in long_name
_TEXTS = {
    "flow": ("persons who move their usual residence for twelve months or more during the calendar year",
             "sum"),
    "flow_spread": ("standard deviation over members of log(1 + flow)", ""),
    "stock": ("persons born in birthplace who live in residence on 1 January", "point"),
    "net_migration": ("inflow minus outflow of residence during the calendar year", "sum"),
    **{f"{v}_{end}": (f"{end[:5]} end of the {end[5:] or 95}% interval of {v}{more}", "") for end in ENDS
       for v, more in (("flow", ""), ("stock", "; missing where there is none"), ("net_migration", ""))},
}


def write_netcdf(answers: Answers, folder: Path, about: dict) -> list[Path]:
    """``flows.nc``, ``stocks.nc`` and ``net_migration.nc``, in a form that :class:`Store` reads as it reads a release.

    Parameters
    ----------
    about : global attributes.
    """
    store = answers.store
    flows = {v: _estimate(answers, v) for v in ("flow", *_ends("flow"), "flow_spread") if store.has(v)}
    if answers.evidence:
        flows |= _evidence(answers)
        flows["flow"][1]["ancillary_variables"] = " ".join(v for v in flows if v != "flow")
    net = {v: _estimate(answers, v) for v in ("net_migration", *_ends("net_migration")) if store.has(v)}
    stocks = {v: _estimate(answers, v) for v in ("stock", *_ends("stock")) if store.has(v)}
    return [_write(answers, folder / "flows.nc", flows, about),
            _write(answers, folder / "stocks.nc", stocks, about),
            _write(answers, folder / "net_migration.nc", net, about)]


def label_netcdf(file: Path, about: dict) -> None:
    """Add global attributes to a file."""
    with netCDF4.Dataset(file, "a") as data:
        data.setncatts(about)


def _ends(variable: str) -> list[str]:
    return [f"{variable}_{end}" for end in ENDS]


def _estimate(answers: Answers, variable: str) -> tuple:
    text, method = _TEXTS[variable]
    attributes = {"long_name": text, "units": "1" if variable == "flow_spread" else PERSONS}
    if method:
        attributes["cell_methods"] = f"{PLACES[variable][1][0]}: {method}"
    return answers.store.array(variable), attributes, PLACES[variable][1]


def _evidence(answers: Answers) -> dict[str, tuple]:
    store, evidence, n = answers.store, answers.evidence, len(answers.codes)
    index = tuple(np.indices((n, n)).reshape(2, -1))
    seen, basis, grade = (np.zeros((len(answers.years), n, n), np.int8) for _ in range(3))
    for t in range(len(answers.years)):
        at = (np.full(n * n, t), *index)
        seen[t], basis[t] = evidence.seen(*at).reshape(n, n), evidence.basis(*at).reshape(n, n)
        ends = [store.array(f"flow_{k}")[t] for k in ("lower", "upper")] if answers.intervals else (None, None)
        spread = store.array("flow_spread")[t] if store.has("flow_spread") else None
        grade[t] = grades.grade(seen[t], *ends, spread)
    dims = PLACES["flow"][1]
    rule = grades.rule(intervals=answers.intervals, members=store.has("flow_spread"), evidence=evidence.told)
    which, classes, meanings = ("flow_evidence", EVIDENCE, EVIDENCE_MEANINGS) if evidence.told else \
        ("flow_seen", SEEN, SEEN_MEANINGS)
    if evidence.told:
        seen = evidence.evidence(*np.indices(seen.shape)).astype(np.int8)
    return {
        which: (seen, _flags(classes, "what was seen of the corridor",
                             "; ".join(f"{k}: {v}" for k, v in meanings.items())), dims),
        "spoke": (store.array("spoke"), {k: v for k, v in store.about("spoke").items() if k != "_FillValue"}, dims),
        "basis": (basis, _flags(BASIS, "what the estimate stands on",
                                "; ".join(f"{k}: {v}" for k, v in BASIS_MEANINGS.items())), dims),
        "grade": (grade, _flags(grades.GRADES, "grade of the estimate", " ".join(rule.split())), dims)}


def _flags(meanings, text: str, comment: str) -> dict:
    return {"long_name": text, "flag_values": np.arange(len(meanings), dtype=np.int8),
            "flag_meanings": " ".join(meanings), "comment": comment}


def _write(answers: Answers, file: Path, variables: dict[str, tuple], about: dict) -> Path:
    dims = dict.fromkeys(d for _, _, own in variables.values() for d in own)
    with artifacts.atomic(file) as temporary, netCDF4.Dataset(temporary, "w", format="NETCDF4") as data:
        data.setncatts({"Conventions": "CF-1.11", **about})
        for dim in dims:
            values = {"year": answers.years, "date_year": answers.store.dates}.get(dim)
            data.createDimension(dim, len(answers.codes) if values is None else len(values))
            if values is None:
                coordinate = data.createVariable(dim, str, (dim,))
                coordinate[:] = np.array(answers.codes, dtype=object)
                coordinate.setncatts({"long_name": f"{dim}, ISO 3166-1 alpha-3"})
            else:
                coordinate = data.createVariable(dim, "i4", (dim,))
                coordinate[:] = values
                coordinate.setncatts({"long_name": "calendar year" if dim == "year" else "year of the 1 January",
                                      "units": "1"})
        place = next(d for d in dims if not d.endswith("year"))
        label = data.createVariable("territory_name", str, (place,))
        label[:] = np.array([name(c) for c in answers.codes], dtype=object)
        label.setncatts({"long_name": "English short name, in the order of every territory dimension"})
        for variable, (values, attributes, own) in variables.items():
            stored = data.createVariable(variable, values.dtype, own, zlib=True, complevel=4, shuffle=True,
                                         chunksizes=(1, *values.shape[1:]), fill_value=False)
            stored.setncatts(attributes)
            stored[:] = values
    return file
