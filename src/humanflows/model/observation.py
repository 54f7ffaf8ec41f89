"""The observation model: how likely each datum is, given the flows and stocks of a run, in nats.

The estimand is the move of usual residence for twelve months or more (United Nations 1998 [1]_), whoever moves. A
report y of a series s about q such moves has

    log(1 + y) = log(1 + q exp(b)) + u + e

with a bias b of the series and year (b moves slowly, and further where the office changed its counting), a lasting
deviation u of the corridor in that series, and an error e of each report, both heavy-tailed (e: Student's t [2]_). Of
a platform that adds noise to each month's count, q exp(b + u) is published with what that adds (``privacy_noise``).
Biases are learned around means and with deviations of the class of the reporting system (``panel.report_priors``), as
in MIMOSA [3]_ and IMEM [4]_; spreads follow from flows that two offices report (``spreads``). Systems that miss few and
count stays of twelve months anchor the level (``observation_data.ANCHORS``).

While the network learns, no effect of a single corridor is there to explain a report; then its residual has the
variance of a series' corridors, and of their years, around what covariates predict, both learned.

A report by residence sees flow(origin, destination). One of arrivals by citizenship or birthplace i in k sees all who
were born in i and arrive in k from anywhere; of departures, all born in i who leave j to anywhere.

References
----------
.. [1] United Nations (1998), Recommendations on Statistics of International Migration, Revision 1.
.. [2] Lange, Little & Taylor (1989), Robust statistical modeling using the t distribution, Journal of the American
   Statistical Association 84, 881–896.
.. [3] de Beer, Raymer, van der Erf & van Wissen (2010), Overcoming the problems of inconsistent international migration
   data, European Journal of Population 26, 459–481.
.. [4] Raymer, Wiśniowski, Forster, Smith & Bijak (2013), Integrated modeling of European migration, Journal of the
   American Statistical Association 108, 801–819.
"""
import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from ..config import ObservationConfig
from ..panel.report_priors import require_priors
from . import observation_data as data
from .gross import read_gross
from .privacy_noise import estimate_noise, private_counts
from .recursion import Trajectory
from .spreads import COUNT, estimate_spreads

TAIL = 4.0               # degrees of freedom of reports' errors
LASTING = 0.6            # share of a report's variance around its bias that is the corridor's and lasts
PROXY = 0.2              # further lasting deviation of counts by citizenship or birthplace: not all of them move so
# Deviations of a series' corridors, and of their years, around what covariates predict: prior medians, and the
# deviation of their logs.
CORRIDOR, YEAR, SCATTER_SD = 0.6, 0.3, 0.5
ONWARD_RATE, ONWARD_DEVIATION = 0.01, 0.3     # moves of migrants to third territories a year, and its log deviation
# Of a further year of a territory's population, and of the rate at which people move, the part that is new.
YEARS_OF_POPULATION, YEARS_OF_RATES = 0.5, 0.2
# Of counts that a platform does not show, the part that is not small: nothing is shown between Ukraine and Russia, with
# millions of migrants.
WITHHELD = 0.01
POPULATION_UNIT = 5.0    # of an error of WPP's population in its parameter: errors of wars have to be within reach


def student(standardised: Tensor, tail: float = TAIL) -> Tensor:
    """Negative log density of Student's t, but for a constant."""
    return (tail + 1) / 2 * torch.log1p(standardised**2 / tail)


def pseudo_huber(standardised: Tensor) -> Tensor:
    """Between a normal and a Laplace error: squares near zero, absolute values further out."""
    return 2 * (torch.sqrt(1 + standardised**2 / 2) - 1)


class ObservationModel(nn.Module):
    """Log likelihood of all data outside the held-out corridors, and the priors of its own parameters.

    Parameters
    ----------
    panel : the panel; a member's draw of weights and biases (``panel.draws``) counts where the panel holds one.
    mask : [observation] bool, the reports to learn from (``splits.training_observations``).
    corridors : [origin, destination] bool, corridors of which displaced people and absent counts may be learned from.
    config : deviations that are settings.

    Raises
    ------
    ArtifactError
        For a panel whose reports have no definition.
    """

    def __init__(self, panel: xr.Dataset, mask: np.ndarray, corridors: np.ndarray, config: ObservationConfig):
        super().__init__()
        self.config, self.n = config, panel.sizes["residence"]
        self.labels = panel.witness.values.astype(str).tolist()
        without = config.without
        require_priors(panel)
        spread = estimate_spreads(panel, mask)
        reports, biases = data.read_reports(panel, mask, spread)
        self._keep("report", **vars(reports), witness=biases.witness[reports.cell])
        self._keep("bias", **vars(biases))
        noise = estimate_noise(panel, mask)
        self._keep("series", spread=spread, noise=noise)
        self.register_buffer("bias_noise", torch.as_tensor(noise[biases.witness]), persistent=False)
        if not without & {"reports", "censored"}:
            self._keep("censored", **data.read_censored(panel, mask, corridors, biases))
        if "displaced" not in without:
            self._keep("displaced", **data.read_displaced(panel, corridors))
        self._keep("stock", **data.read_stocks(panel))
        self._keep("net", **data.read_net_migration(panel))
        if "gross" not in without:
            self._keep("gross", **read_gross(panel, mask, corridors))
        # What net migration does not reach back to the first date for was carried on by births and deaths alone.
        self._keep("population", persons=panel.population.values.astype(np.float32), known=np.vstack(
            [np.zeros(self.n), np.isfinite(panel.net_migration.values).cumprod(0)]).astype(np.float32))
        self.log_bias_step = nn.Parameter(torch.zeros(len(biases.witness)))
        # Learned with the network alone: scatter of corridors, and of their years, of each series around it; of net
        # migration and of growth.
        self.log_scatter = nn.Parameter(torch.tensor([np.log(CORRIDOR), np.log(YEAR)], dtype=torch.float32).repeat(
            panel.sizes["witness"], 1))
        self.log_balance_scatter = nn.Parameter(torch.ones(2))
        self.lasting = nn.Parameter(torch.zeros(int(reports.series.max()) + 1 if len(reports.series) else 0))
        self.population_error = nn.Parameter(torch.zeros(panel.sizes["date_year"], self.n))

    def _keep(self, prefix: str, **arrays):
        for name, value in arrays.items():
            self.register_buffer(f"{prefix}_{name}", torch.as_tensor(np.ascontiguousarray(value)), persistent=False)

    @property
    def log_bias(self) -> Tensor:
        """Log bias of each series and year with reports, [C]."""
        total = torch.cumsum(self.log_bias_step, 0)
        before = total - self.log_bias_step
        return self.bias_mean + self.bias_free * (total - before.index_select(0, self.bias_first))

    def witness_bias(self) -> np.ndarray:
        """Log bias of each series, mean over its reports, [witness]; NaN for series that were not learned from."""
        w = self.report_witness.cpu().numpy()
        bias = self.log_bias.detach().cpu().numpy()[self.report_cell.cpu().numpy()]
        number = np.bincount(w, minlength=len(self.labels))
        with np.errstate(invalid="ignore"):
            return np.bincount(w, bias, minlength=len(self.labels)) / np.where(number, number, np.nan)

    def predictions(self, run: Trajectory) -> Tensor:
        """What every report should have said [M], persons: moves times the bias of its series and year, and what
        noise adds to it."""
        return private_counts(self.expected(self._moves_of_reports(run)), self.bias_noise[self.report_cell])[0]

    def _moves_of_reports(self, run: Trajectory) -> Tensor:
        flat = torch.cat([run.flow.reshape(-1), run.arrivals.reshape(-1), run.departures.reshape(-1)])
        return flat.index_select(0, self.report_position)

    def expected(self, persons: Tensor, reports: Tensor | None = None) -> Tensor:
        """Persons that reports should count of those who move, before noise; ``reports`` are positions, all by
        default."""
        cell = self.report_cell if reports is None else self.report_cell.index_select(0, reports)
        return persons * torch.exp(self.log_bias.index_select(0, cell))

    # ---- while the network learns: no effect of a corridor, so its variance is part of the error ----

    def marginal(self, persons: Tensor, reports: Tensor) -> Tensor:
        """Mean negative log likelihood of reports, each by itself, nats per independent report.

        Parameters
        ----------
        persons : [len(reports)] moves that each report is about.
        reports : positions.
        """
        residual, count, corridor, year = self._residual(persons, reports)
        variance = corridor + year + count
        weight = self.report_weight[reports] * self.report_share[reports]
        nats = student(residual / torch.sqrt(variance)) + 0.5 * torch.log(variance)
        return (nats @ weight) / weight.sum().clamp(min=1e-9)

    def marginal_series(self, persons: Tensor, reports: Tensor) -> Tensor:
        """The same of whole series: their means have the corridor's variance, their years the years'."""
        residual, count, corridor, year = self._residual(persons, reports)
        series, weight = torch.unique(self.report_series[reports], return_inverse=True)[1], self.report_weight[reports]
        number = int(series.max()) + 1

        def mean(x):
            return torch.zeros(number, device=x.device).index_add_(0, series, x) / length

        length = torch.zeros(number, device=residual.device).index_add_(0, series, torch.ones_like(residual))
        level, single = mean(residual), year + count
        total = mean(corridor) + mean(single) / length
        between = student(level / torch.sqrt(total)) + 0.5 * torch.log(total)
        free = ((length - 1) / length).index_select(0, series) * weight * data.INDEPENDENT
        within = student((residual - level.index_select(0, series)) / torch.sqrt(single)) + 0.5 * torch.log(single)
        drawn = mean(weight)
        return (between @ drawn + within @ free) / (drawn.sum() + free.sum()).clamp(min=1e-9)

    def marginal_censored(self, persons: Tensor, absent: Tensor) -> Tensor:
        """Mean negative log likelihood of counts that are not shown because they are small, nats; scaled to what all of
        them are worth beside an independent report.

        A network that reads shown counts alone takes every small corridor for a larger one.

        Parameters
        ----------
        persons : [len(absent)] moves of corridors and years in which nothing is shown.
        absent : their positions among all such.
        """
        cell = self.censored_cell[absent]
        shown, chance, elasticity = self._shown(persons * torch.exp(self.log_bias[cell]), cell)
        corridor, year = torch.exp(2 * self.log_scatter[self.bias_witness[cell]]).unbind(1)
        deviation = torch.sqrt(elasticity**2 * (corridor + year) + chance)
        below = _absent(self.censored_limit[absent], shown, deviation)
        share = self.censored_share[absent]
        return -below @ share / share.sum() * (self.censored_share.sum() / self.independent_reports)

    def _residual(self, persons, reports) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Log residuals, and variances: of a count, of the series' corridors, of their years."""
        shown, chance, elasticity = self._shown(self.expected(persons, reports), self.report_cell[reports])
        residual = torch.log1p(self.report_persons[reports]) - torch.log1p(shown)
        corridor, year = (torch.exp(2 * self.log_scatter[self.report_witness[reports]])
                          * elasticity.unsqueeze(1)**2).unbind(1)
        return residual, chance, corridor, year

    def _shown(self, expected: Tensor, cell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of persons that a series and year should count: what it shows, with noise; the variance of its log by chance
        and by noise; and how much of a difference in the log of the count it shows. The last two have no gradient."""
        shown, noise, elasticity = private_counts(expected, self.bias_noise.index_select(0, cell))
        chance = elasticity**2 * COUNT / (1 + expected) + noise / (1 + shown)**2
        return shown, chance.detach(), elasticity.detach()

    @property
    def independent_reports(self) -> float:
        """How many independent reports all of them are worth."""
        return float(self.report_share.sum()) if len(self.report_share) else 1.0

    def pretraining_prior(self) -> Tensor:
        """Priors of biases and of scatter around covariates, nats per independent report."""
        usual = self.log_scatter.new_tensor([np.log(CORRIDOR), np.log(YEAR)])
        scatter = 0.5 * (((self.log_scatter - usual) / SCATTER_SD) ** 2).sum()
        return (self.bias_prior() + scatter) / self.independent_reports

    def bias_prior(self) -> Tensor:
        """Negative log prior of the biases, nats: heavy-tailed, for the office that no class describes."""
        return student(self.log_bias_step / self.bias_deviation).sum()

    # ---- of a whole run ----

    def terms(self, run: Trajectory) -> dict[str, Tensor]:
        """Negative log likelihood of each kind of data, and the priors of biases and errors, nats."""
        middle, flow, without = 0.5 * (run.stock[1:] + run.stock[:-1]), run.flow.reshape(-1), self.config.without
        terms = {"onward": _onward(run)}
        if len(self.report_persons):
            terms["reports"] = self._reports(run)
            # Not Student's: a series that is off for good would cost the same however far, and no flow would follow it.
            terms["lasting"] = pseudo_huber(self.lasting / self._lasting_deviation()).sum()
            terms["bias"] = self.bias_prior()
        if hasattr(self, "censored_position"):
            terms["censored"] = self._censored(flow)
        if hasattr(self, "displaced_position"):
            terms["displaced"] = self._displaced(flow)
        terms["stock"], terms["stock_difference"] = self._stocks(middle.reshape(-1))
        if hasattr(self, "stock_foreign"):
            terms["foreign_born"] = self._foreign_born(middle)
        terms["population"] = self._population(run.stock)
        if len(self.net_persons):
            terms["net_migration"], terms["population_error"] = self._net_migration(run.flow)
        if hasattr(self, "gross_mean"):
            terms["gross"] = self._gross(run)
        return {name: value for name, value in terms.items() if name not in without}

    def _lasting_deviation(self) -> Tensor:
        variance = LASTING * self.report_spread**2 + PROXY**2 * self.report_proxy
        out = torch.ones_like(self.lasting.detach())
        return out.index_copy(0, self.report_series, torch.sqrt(variance)) if len(out) else out

    def _reports(self, run: Trajectory) -> Tensor:
        # The lasting deviation is one of what is counted; noise comes after it.
        level = torch.log1p(self.expected(self._moves_of_reports(run))) \
            + self.lasting.index_select(0, self.report_series)
        shown, chance, elasticity = self._shown(torch.expm1(level.clamp(min=0)), self.report_cell)
        variance = (1 - LASTING) * (elasticity * self.report_spread)**2 + chance
        private = self.bias_noise.index_select(0, self.report_cell) > 0
        residual = torch.log1p(self.report_persons) - torch.where(private, torch.log1p(shown), level)
        return (student(residual / torch.sqrt(variance)) + 0.5 * torch.log(variance)) @ self.report_weight

    def _censored(self, flow: Tensor) -> Tensor:
        expected = flow.index_select(0, self.censored_position) \
            * torch.exp(self.log_bias.index_select(0, self.censored_cell))
        shown, chance, elasticity = self._shown(expected, self.censored_cell)
        deviation = torch.sqrt((elasticity * self.config.censored_deviation)**2 + chance)
        return -(_absent(self.censored_limit, shown, deviation) @ self.censored_share)

    def _displaced(self, flow: Tensor) -> Tensor:
        """New refugees are a part of those who come: a flow may exceed them by any factor, and hardly be less."""
        missing = torch.log1p(self.displaced_persons) - torch.log1p(flow.index_select(0, self.displaced_position))
        return pseudo_huber(missing.clamp(min=0.0) / self.config.displaced_below).sum()

    def _stocks(self, middle: Tensor) -> tuple[Tensor, Tensor]:
        c = self.config
        here = middle.index_select(0, self.stock_position)
        deviation = self.stock_times * torch.sqrt(c.stock_deviation**2 + c.stock_count**2 / (1 + here.detach()))
        level = pseudo_huber((torch.log1p(self.stock_persons) - torch.log1p(here)) / deviation) @ self.stock_share
        before, after = middle.index_select(0, self.stock_before), middle.index_select(0, self.stock_after)
        deviation = 30 + c.stock_repeated * 0.5 * (before + after).detach() + c.change_deviation \
            * self.stock_change.abs() + c.displaced_counted * self.stock_displaced
        residual = (after - before - self.stock_change) / (deviation * self.stock_times_of_change)
        return level, pseudo_huber(residual) @ self.stock_share_of_change

    def _foreign_born(self, middle: Tensor) -> Tensor:
        foreign = (middle.sum(1) - middle.diagonal(dim1=1, dim2=2))[self.stock_foreign_year, self.stock_foreign_place]
        residual = torch.log(self.stock_foreign) - torch.log(foreign + 1e-3)
        deviation = torch.sqrt(self.stock_foreign_deviation**2 + self.config.stock_count**2 / (1 + foreign.detach()))
        return pseudo_huber(residual / deviation).sum()

    def _population(self, stock: Tensor) -> Tensor:
        """Residents of each 1 January: WPP's errors last, so that a territory's years are worth fewer."""
        share = _share(len(stock), YEARS_OF_POPULATION)
        deviation = 20 + self.config.population_deviation * self.population_persons
        return share * (pseudo_huber((stock.sum(1) - self.population_persons) / deviation)
                        * self.population_known).sum()

    def _net_migration(self, flow: Tensor) -> tuple[Tensor, Tensor]:
        """Net migration is what WPP's population leaves to explain: an error of a population comes in with one sign and
        goes out with the other a year later."""
        c = self.config
        net = (flow.sum(1) - flow.sum(2))[self.net_year, self.net_place]
        error = self.population_error * POPULATION_UNIT * c.recount_deviation * self.population_persons
        recount = (error[1:] - error[:-1])[self.net_year, self.net_place] * ~self.net_national
        population = self.population_persons[self.net_year, self.net_place]
        deviation = 20 + c.net_population * population + c.net_deviation * self.net_persons.abs() \
            + c.net_displaced * self.net_displaced
        deviation = deviation * torch.where(self.net_national, 0.5, torch.where(self.net_projected, 3.0, 1.0)) \
            * torch.where(self.net_counted, 1.0, c.net_uncounted)
        # Not Student's: errors that grow year after year would cost next to nothing, and no net migration be believed.
        prior = pseudo_huber(self.population_error * POPULATION_UNIT).sum()
        return pseudo_huber((net + recount - self.net_persons) / deviation).sum(), prior

    def _gross(self, run: Trajectory) -> Tensor:
        """Where no office reports: moves to and from a territory per resident, as in territories like it."""
        moves = 0.5 * (run.flow.sum(1) + run.flow.sum(2))
        rate = torch.log((moves + 0.5) / run.stock[:-1].sum(1).clamp(min=1.0))
        share = _share(len(moves), YEARS_OF_RATES)
        return share * (student((rate - self.gross_mean) / self.gross_deviation) * self.gross_unreported).sum()


def _absent(limit: Tensor, shown: Tensor, deviation: Tensor) -> Tensor:
    """Log probability that a count is not shown: it is below the limit, or is left out for another reason."""
    below = torch.special.log_ndtr((torch.log1p(limit) - torch.log1p(shown)) / deviation)
    return torch.logaddexp(below + np.log1p(-WITHHELD), torch.full_like(below, np.log(WITHHELD)))


def _share(years: int, independent: float) -> float:
    """Of each of so many years that each tell but a part of something new."""
    return (1 + independent * (years - 1)) / years


def _onward(run: Trajectory) -> Tensor:
    """Hardly any source tells onward moves from others, and without a word about their number they die out in training:
    a hazard near zero has no gradient. Their yearly rate in the world has a prior; moves of natives and returns have
    none."""
    natives = run.departures.diagonal(dim1=1, dim2=2).sum(1)
    returns = run.arrivals.diagonal(dim1=1, dim2=2).sum(1)
    onward = run.flow.sum((1, 2)) - natives - returns
    stock = run.stock[:-1]
    migrants = stock.sum((1, 2)) - stock.diagonal(dim1=1, dim2=2).sum(1)
    return 0.5 * ((torch.log(torch.clamp(onward / migrants, min=1e-7) / ONWARD_RATE) / ONWARD_DEVIATION) ** 2).sum()
