"""The chapter on methods: how large errors and effects are expected to be, from the settings of the model itself."""
import math
from collections.abc import Callable

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
    from .model import gross as g
    from .model import observation as o
    from .model import observation_data as d

    c = load_config("world").observation
    t = _T.format(o.TAIL)
    below = " or ".join(f"{n} ({name.title()})" for name, n in d.CENSORED_BELOW.items())
    rows = [
        ("report of a flow", "the spread of its class, times a factor that is learned", t),
        ("– of its variance, what lasts in a corridor", f"{o.LASTING:.0%}", t),
        ("– by citizenship or birthplace, lasts in addition", _log(o.PROXY), t),
        ("– factor of a spread", f"{_log(o.SPREAD_SD)} around its class", _NORMAL),
        ("bias, first year", "as its class and the stay that counts leave open", t),
        ("– from one year to the next", _log(d.SLOW), t),
        ("– where the office changed its counting", _log(d.BREAK), t),
        (f"count left out because it is below {below}", _log(c.censored_deviation), _NORMAL),
        ("new refugees and asylum seekers, flow below them", _log(c.displaced_below), _BETWEEN),
        ("stock", _log(c.stock_deviation), t),
        ("difference of two stocks", f"{_share(c.stock_repeated)} of the stocks, {_share(c.change_deviation)} of the "
         f"difference, {_share(c.displaced_counted)} of the displaced in between", _BETWEEN),
        ("all foreign-born of a territory", f"{_log(d.FOREIGN_DEVIATION)}, and the log of the total over those of "
         "known birthplace", _BETWEEN),
        ("population of a 1 January", f"{_share(c.population_deviation)} of residents", _BETWEEN),
        ("net migration", f"{_share(c.net_population)} of residents, {_share(c.net_deviation)} of itself", _BETWEEN),
        ("– recount: error of a population", f"{_share(c.recount_deviation)} of residents", "Student's t, "
         "heavier tails than the others"),
        ("moves per resident where nobody reports", f"what the regression leaves, {_log(g.LEAST)} or more", t),
        ("moves of migrants to a third place", f"{_log(o.ONWARD_DEVIATION)} around {_share(o.ONWARD_RATE)} of them a "
         "year", _NORMAL),
    ]
    return [Table("Standard deviations of the data", [dict(zip(("datum", "deviation", "tail"), row)) for row in rows],
                  {"datum": "datum", "deviation": "standard deviation", "tail": "error"})]


def effects_section() -> list[str | Table | Fold]:
    """How large each effect is expected to be: the settings of the real world's profile."""
    from .model.courses import MEMORY
    from .model.effects import SHOCK_TAIL
    from .model.observation import TAIL

    c = load_config("world").effects
    t, shock, fades = _T.format(TAIL), _T.format(SHOCK_TAIL), f"{MEMORY:g} of last year's remain"
    rows = [
        ("tie", c.tie, _NORMAL, "lasts"), ("direction", c.direction, _NORMAL, "lasts"),
        ("wave", c.wave, t, "each for itself"), ("course", c.course, shock, fades),
        ("– in a year that brings refugees, or the next", c.shock, shock, fades),
        ("turnover", c.turnover, _NORMAL, fades), ("balance", c.balance, t, fades)]
    return [Table("Standard deviations of effects", [
        {"effect": effect, "deviation": _log(deviation), "tail": tail, "time": time}
        for effect, deviation, tail, time in rows],
        {"effect": "effect", "deviation": "standard deviation, log", "tail": "distribution", "time": "in time"})]


def _log(deviation: float) -> str:
    """A deviation on the log scale, and the factor that it is."""
    return f"{deviation:g} (×{math.exp(deviation):.2f})"


def _share(share: float) -> str:
    return f"{100 * share:g}%"


SECTIONS: dict[str, Callable[[], list[str | Table | Fold]]] = {"data": data_section, "effects": effects_section}
