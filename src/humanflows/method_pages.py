"""The chapter on methods: how large errors and effects are expected to be, from the settings of the model itself."""
import math
from collections.abc import Callable, Sequence

from .config import load_config
from .results.protocol_report import Fold, Table

_T, _BETWEEN, _NORMAL = "Student's t, {:g} degrees", "between normal and Laplace", "normal"


def section(which: str) -> list[str | Table | Fold]:
    """Blocks of one section, ``data`` or ``effects``.

    Raises
    ------
    KeyError
        For another one.
    """
    return SECTIONS[which]()


def data_section() -> list[str | Table | Fold]:
    """What error is expected of each kind of data: the settings of the real world's profile."""
    from .model import balances
    from .model import gross as g
    from .model import observation as o
    from .model import observation_data as d
    from .model import privacy_noise as n
    from .model import spreads as s
    from .panel.features import QUIET

    c = load_config("world").observation
    t = _T.format(o.TAIL)
    below = " or ".join(f"{least} ({name.title()})" for name, least in n.CENSORED_BELOW.items())
    learned = f"learned for each series, expected within a factor of {math.exp(o.SCATTER_SD):.2f} of"
    small = f"{c.stock_count:g} over the root of persons"
    rows = [
        ("report of a flow", f"σ, from flows that two offices report; that of its class counts as {s.PRIOR_CELLS:g} of "
         "them", ""),
        ("– share of σ² that lasts in a corridor", f"{o.LASTING:.0%}", _BETWEEN),
        ("– by citizenship or birthplace, lasts in addition", _log(o.PROXY), _BETWEEN),
        ("– share of σ² of the single report", f"{1 - o.LASTING:.0%}", t),
        ("– noise that a platform adds, in addition", f"measured, persons a month, where {n.FEWEST} of its flows or "
         "more have another report", _NORMAL),
        ("– noise of its count, in addition", f"{math.sqrt(s.COUNT):g} over the root of persons: c = {s.COUNT:g}", t),
        ("bias, first year, and where the definition changes", "as its class and the stay that counts leave open", t),
        ("– from one year to the next", _log(d.SLOW), t),
        ("– where the office changed its counting", _log(d.BREAK), t),
        ("– of an anchor", "none", ""),
        (f"count left out because it is below {below}", f"{_log(c.censored_deviation)}, and the noise of a count",
         _NORMAL),
        ("– withheld for another reason", f"{_share(o.WITHHELD)} of what is not shown", ""),
        ("displaced people, flow below them", _log(c.displaced_below), _BETWEEN),
        ("– flow above them", "free", ""),
        ("stock", f"{_log(c.stock_deviation)}, and {small}", _BETWEEN),
        ("difference of two stocks", f"{_share(c.stock_repeated)} of the stocks, {_share(c.change_deviation)} of the "
         f"difference, {_share(c.displaced_counted)} of the displaced in between", _BETWEEN),
        ("– last count of a revision, and the difference that leads to it", f"{d.EXTRAPOLATED:g} times as large",
         _BETWEEN),
        ("– weight of a revision beside the next", f"{d.EARLIER:g}", ""),
        ("all foreign-born of a territory", f"{_log(d.FOREIGN_DEVIATION)} plus the log of the total over those of "
         f"known birthplace, and {small}", _BETWEEN),
        ("population of a 1 January", f"{_share(c.population_deviation)} of residents", _BETWEEN),
        ("net migration", f"{_share(c.net_population)} of residents, {_share(c.net_deviation)} of itself, "
         f"{_share(c.net_displaced)} of new refugees and asylum seekers from there and in there", _BETWEEN),
        ("– of territories without national figures", f"{c.net_uncounted:g} times as large", _BETWEEN),
        ("– of national figures", "half as large", _BETWEEN),
        (f"– of the United Nations from {d.PROJECTED_FROM} on", "three times as large", _BETWEEN),
        ("– recount: error of a population", f"{_share(c.recount_deviation)} of residents", _BETWEEN),
        ("moves per resident where nobody reports", f"what the regression leaves, {_log(g.LEAST)} or more", t),
        ("moves of migrants to a third place", f"{_log(o.ONWARD_DEVIATION)} around {_share(o.ONWARD_RATE)} of them a "
         "year", _NORMAL),
        (f"while the network learns: natives who move where never more than {QUIET} migrants are counted",
         _log(balances.FEW), t),
        ("– corridors around covariates", f"{learned} {_log(o.CORRIDOR)}", t),
        ("– their years", f"{learned} {_log(o.YEAR)}", t),
    ]
    return [
        Table("Standard deviations of the data", [dict(zip(("datum", "deviation", "tail"), row)) for row in rows],
              {"datum": "datum", "deviation": "standard deviation", "tail": "error"}),
        "Deviations joined by *and* are added as squares, those of differences of stocks, of populations and of net "
        "migration as they are, with some dozens of persons in addition, so that no small place is known to the "
        "person. *Between normal and Laplace* is $\\psi$.\n",
        f"Anchors are series by residence of the [classes](reporting_systems) {_listed(d.ANCHORS)}, in years in which "
        f"a stay of twelve months counts and the expected bias is not further from none than {_log(d.FEW_MISSED)} "
        "either way.\n"]


def effects_section() -> list[str | Table | Fold]:
    """How large each effect is expected to be: the settings of the real world's profile."""
    from .model.courses import MEMORY
    from .model.effects import SCALAR, SHOCK_TAIL
    from .model.observation import TAIL
    from .model.recursion import AFFINITY_START, DISPLACED_FROM, ONWARD_START
    from .panel.features import QUIET

    c = load_config("world").effects
    t, shock, fades = _T.format(TAIL), _T.format(SHOCK_TAIL), f"{MEMORY:g} of last year's remain"
    rows = [
        ("tie", c.tie, _NORMAL, "lasts"), ("direction", c.direction, _NORMAL, "lasts"),
        ("– returns where nobody reports", c.unreported, _NORMAL, "lasts"),
        ("wave", c.wave, t, "each for itself"), ("course", c.course, shock, fades),
        (f"– where more than {DISPLACED_FROM} displaced people come or return, and a year later", c.shock, shock,
         fades),
        ("turnover", c.turnover, _NORMAL, fades), ("balance", c.balance, t, fades),
        ("scarce", c.scarce, t, fades)]
    return [
        Table("Standard deviations of effects", [
            {"effect": effect, "deviation": _log(deviation), "tail": tail, "time": time}
            for effect, deviation, tail, time in rows],
            {"effect": "effect", "deviation": "standard deviation, log", "tail": "distribution", "time": "in time"}),
        f"A pair has effects where more than {QUIET} migrants or displaced people were ever counted in either "
        f"direction, or where a report of more than {QUIET} moves is learned from. How those born elsewhere move on "
        f"($w$ and $\\alpha$ below) is expected at {ONWARD_START:g} and {AFFINITY_START:g}, with a normal deviation of "
        f"{SCALAR:g} each.\n"]


def _log(deviation: float) -> str:
    """A deviation on the log scale, and the factor that it is."""
    return f"{deviation:g} (×{math.exp(deviation):.2f})"


def _listed(names: Sequence[str]) -> str:
    """Names of classes in a sentence, as the chapter on reporting systems writes them."""
    *most, last = [f"`{name}`" for name in names]
    return f"{', '.join(most)} and {last}" if most else last


def _share(share: float) -> str:
    return f"{100 * share:g}%"


SECTIONS: dict[str, Callable[[], list[str | Table | Fold]]] = {"data": data_section, "effects": effects_section}
