"""By how much hypothetical reports would reduce the posterior variance of quantities, from draws of the posterior.

Draws of all quantities are a sample of the posterior. A report y = x + e of some of them, with errors of covariance R,
would take cov(q, y) (cov(y) + R)⁻¹ cov(y, q) from the variance of a quantity q: the linear update of Kalman [1]_, with
covariances over the draws as in an ensemble filter [2]_. The reduction does not depend on what the report says, so that
it can be asked before there is one: the optimal design of observations [3]_.

Covariances of a hundred draws are noisy, and a square is never negative: of quantities that have nothing to do with one
another, the plain formula promises a reduction of p/(D − 1) for p precise reports. Two things are done about it.

- *Few statistics of a report, chosen without the draws.* An office's report has hundreds of numbers, more than there
  are draws; then the sample covariance explains everything. A quantity is updated by a handful of linear combinations
  of the report, named by geography (``rank``): localisation. What few statistics of a report tell is less than what the
  whole report tells, never more.
- *What chance makes of squared correlations is taken off.* In the basis in which the statistics are uncorrelated the
  reduction is Σ gₖ aₖ, with aₖ the squared projection of the quantity on direction k and gₖ = λₖ/(1 + λₖ) what the
  report tells of that direction. A direction that tells nothing has, in the mean, a projection of the quantity's
  residual variance, which is known from the residual of the regression; it is taken off, as in adjusted R² [4]_. The
  mean over draws in which quantity and report have nothing in common is then exactly zero, whatever their distribution.

Draws of one network have its deviation in common: with eight networks of thirteen draws, chance correlates what differs
between networks as eight numbers do, not as 104. The residual has a variance between networks and one within (moments
of the analysis of variance, Henderson's method 3 [5]_), and what is taken off a direction is what these two put there.

What is left is small: λ is estimated, too, and g is concave, so that a middling share is a hundredth too low with
sixty draws. An estimate may be below zero, as it has to be for its mean to be right: means over quantities are taken
first, and cut off at zero afterwards.

References
----------
.. [1] Kalman (1960), A new approach to linear filtering and prediction problems, Journal of Basic Engineering 82,
   35–45.
.. [2] Evensen (2009), Data Assimilation: The Ensemble Kalman Filter, Springer.
.. [3] Krause, Singh & Guestrin (2008), Near-optimal sensor placements in Gaussian processes, Journal of Machine
   Learning Research 9, 235–284.
.. [4] Ezekiel (1930), Methods of Correlation Analysis, Wiley.
.. [5] Searle, Casella & McCulloch (1992), Variance Components, Wiley, chapter 5.
"""
import numpy as np

from ...errors import SchemaError

_NONE = 1e-10       # of the largest λ: a direction with less does not vary
SHRINKAGE = 2.0     # times what chance makes of a squared projection is taken off a gain that is used


def closed_form(cov_qy, cov_y, noise) -> np.ndarray:
    """Reduction of variances when covariances are known: diag(cov(q, y) (cov(y) + R)⁻¹ cov(y, q)).

    Parameters
    ----------
    cov_qy : (quantity, report).
    cov_y, noise : (report, report).

    Returns
    -------
    (quantity,), in squares of the quantities' units.
    """
    cov_qy = np.asarray(cov_qy, dtype=np.float64)
    return (cov_qy * np.linalg.solve(np.asarray(cov_y) + np.asarray(noise), cov_qy.T).T).sum(-1)


def share_told(quantities, reports, noise, network=None, *, corrected: bool = True) -> np.ndarray:
    """Share of each quantity's variance that reports would take away.

    Parameters
    ----------
    quantities : (draw, quantity).
    reports : what would be reported, without its error: (draw, report), the same for all quantities, or (draw,
        quantity, report).
    noise : covariance of the reports' errors, positive definite: (report, report) or (quantity, report, report).
    network : of each draw, (draw,); none, one, or one a draw: draws are independent of one another.
    corrected : take off what chance makes of squared correlations. Without, the plain formula with covariances over
        the draws.

    Returns
    -------
    (quantity,): at most 1 and, corrected, in the mean 0 where reports tell nothing; 0 of a quantity that does not vary.

    Raises
    ------
    SchemaError
        For arrays that do not fit together, numbers that are not finite, a noise that is no covariance, or too few
        draws for as many reports.
    """
    q, y, noise, code = _checked(quantities, reports, noise, network)
    q, y = q - q.mean(0), y - y.mean(0)
    power = (q**2).sum(0)
    turn, gain, onto, there = _directions(q, y, noise)
    told = gain * (onto**2 - (_by_chance(q, y, turn, onto, there, code) if corrected else 0.0))
    return np.where(power > 0, told.sum(-1) / np.where(power > 0, power, 1.0), 0.0)


def share_error(quantities, reports, noise, network=None) -> np.ndarray:
    """Standard error of :func:`share_told`, jackknife over networks, or over ten groups of draws without them [6]_.

    References
    ----------
    .. [6] Efron & Stein (1981), The jackknife estimate of variance, Annals of Statistics 9, 586–596.
    """
    q, y = np.asarray(quantities), np.asarray(reports)
    code = _codes(network, len(q))
    if code is None:
        code = np.arange(len(q)) % min(10, len(q))
        network = None
    groups, left = np.unique(code), []
    for k in groups:
        kept = code != k
        left.append(share_told(q[kept], y[kept], noise, None if network is None else np.asarray(network)[kept]))
    left = np.stack(left)
    return np.sqrt((len(groups) - 1) / len(groups) * ((left - left.mean(0)) ** 2).sum(0))


def posterior_errors(quantities, reports, noise, errors, network=None) -> np.ndarray:
    """Draws of what would not be known of quantities after reports: each draw is the truth in turn.

    Draw i less its estimate from the report yᵢ + eᵢ: q′ = (q − q̄) − K (y − ȳ + e), whose covariance is that of the
    posterior after the report. The gain K is learned from the draws of the other networks (ten groups of draws without
    networks), so that it cannot have learned chance of the draw that it judges; and it is drawn towards zero in every
    direction as far as its projection may be chance (James & Stein's positive part, twice as strongly), so that what
    has nothing to do with the report is left as it was.

    Parameters
    ----------
    errors : drawn errors of the reports, of the shape of ``reports``; with covariance ``noise``.
    others : as :func:`share_told`.

    Returns
    -------
    (draw, quantity), around zero.
    """
    q, y, noise, code = _checked(quantities, reports, noise, network)
    e = np.asarray(errors, dtype=np.float64)
    e = e[:, None, :] if e.ndim == 2 else e
    if e.shape != y.shape:
        raise SchemaError("needs", f"errors {e.shape} beside reports {y.shape}", "draw an error of each report")
    q, y = q - q.mean(0), y - y.mean(0)
    parts, out = np.arange(len(q)) % min(10, len(q)) if code is None else code, np.empty_like(q)
    for k in np.unique(parts):
        rest, own = parts != k, parts == k
        turn, gain, onto, there = _directions(q[rest], y[rest], noise)
        chance = _by_chance(q[rest], y[rest], turn, onto, there, _codes(None if code is None else code[rest],
                                                                         int(rest.sum())))
        kept = np.clip(1 - SHRINKAGE * chance / np.where(onto**2 > 0, onto**2, 1.0), 0, 1)
        weight = ((gain * kept * onto)[..., None, :] @ turn)[..., 0, :]                     # (quantity, report)
        out[own] = q[own] - ((y[own] + e[own]) * weight).sum(-1)
    return out


def _directions(q: np.ndarray, y: np.ndarray, noise: np.ndarray):
    """The basis in which reports, in units of their errors, are uncorrelated.

    Returns
    -------
    turn : (·, direction, report), what makes directions of unit length from reports around zero.
    gain : (·, direction), λ/(1 + λ), what the report tells of each; 0 of one that does not vary.
    onto : (quantity, direction), projections of quantities. there : (·, direction), whether it varies.
    """
    free = len(q) - 1
    whiten = _whitener(noise)
    gram = free * (whiten @ _spread(y) @ whiten.swapaxes(-1, -2))
    size, basis = np.linalg.eigh((gram + gram.swapaxes(-1, -2)) / 2)
    there = size > _NONE * np.maximum(size[..., -1:], free * 1e-12)
    scale = np.where(there, 1 / np.sqrt(np.where(there, size, 1.0)), 0.0)
    turn = scale[..., None] * (basis.swapaxes(-1, -2) @ whiten)
    onto = (turn @ _with(q, y)[..., None])[..., 0]
    return turn, np.where(there, size / (size + free), 0.0), onto, there


def _spread(y: np.ndarray) -> np.ndarray:
    """Covariance over draws, (·, report, report), of reports around zero (draw, ·, report)."""
    moved = y.transpose(1, 0, 2)
    return moved.swapaxes(-1, -2) @ moved / (len(y) - 1)


def _with(q: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Sums over draws of products, (quantity, report)."""
    return q.T @ y[:, 0] if y.shape[1] == 1 else np.einsum("dq,dqp->qp", q, y)


def _whitener(noise: np.ndarray) -> np.ndarray:
    try:
        return np.linalg.inv(np.linalg.cholesky(noise))
    except np.linalg.LinAlgError as error:
        raise SchemaError("needs", "the covariance of reports' errors is not positive definite",
                          "give every report an error of its own", "noise") from error


def _by_chance(q, y, turn, onto, there, code) -> np.ndarray:
    """What the squared projection on each direction is, in the mean, where the direction tells nothing."""
    draws, rank = len(q), there.sum(-1)
    left = (q**2).sum(0) - (onto**2).sum(-1)
    if code is None:
        return np.where(there, (left / np.maximum(draws - 1 - rank, 1))[:, None], 0.0)
    number = np.bincount(code).astype(np.float64)
    member = (code[:, None] == np.arange(len(number))).astype(np.float64)               # (draw, network)
    sums = (member.T @ y.reshape(draws, -1)).reshape(len(number), *y.shape[1:]).swapaxes(0, 1)
    along = sums @ turn.swapaxes(-1, -2)                                                # (·, network, direction)
    inside = np.diag(number) - np.outer(number, number) / draws - along @ along.swapaxes(-1, -2)
    of_left = member.T @ q - (along * onto[:, None, :]).sum(-1).T                       # (network, quantity)
    one, two = np.trace(inside, axis1=-2, axis2=-1), (inside**2).sum((-2, -1))
    free = draws - 1 - rank
    # Two moments of the residual, two variances: e'e = w (D − 1 − p) + b tr, ‖Z'e‖² = w tr + b tr².
    determinant = free * two - one**2
    square = (of_left**2).sum(0)
    usable = determinant > 1e-9 * np.maximum(free * two, 1e-300)
    determinant = np.where(usable, determinant, 1.0)
    within = np.where(usable, (two * left - one * square) / determinant, left / np.maximum(free, 1))
    between = np.where(usable, (free * square - one * left) / determinant, 0.0)
    return np.where(there, within[:, None] + between[:, None] * (along**2).sum(-2), 0.0)


def _codes(network, draws: int) -> np.ndarray | None:
    """Networks as 0, 1, …; None where they say nothing: one, or one a draw."""
    if network is None:
        return None
    network = np.asarray(network)
    if network.shape != (draws,):
        raise SchemaError("needs", f"networks {network.shape} beside {draws} draws", "name the network of each draw",
                          "network")
    names, code = np.unique(network, return_inverse=True)
    return code if 1 < len(names) < draws else None


def _checked(quantities, reports, noise, network):
    q, y, noise = (np.asarray(x, dtype=np.float64) for x in (quantities, reports, noise))
    y = y[:, None, :] if y.ndim == 2 else y
    noise = noise[None] if noise.ndim == 2 else noise
    fits = (q.ndim == 2 and y.ndim == 3 and noise.ndim == 3 and len(q) == len(y) and y.shape[1] in (1, q.shape[1])
            and noise.shape[0] in (1, q.shape[1]) and noise.shape[1:] == (y.shape[2],) * 2 and y.shape[2])
    if not fits:
        raise SchemaError("needs", f"quantities {q.shape}, reports {y.shape} and noise {noise.shape} do not fit",
                          "give (draw, quantity), (draw, report) and (report, report)", "shape")
    if len(q) < y.shape[2] + 4:
        raise SchemaError("needs", f"{len(q)} draws for {y.shape[2]} statistics of a report",
                          "make more draws, or take fewer statistics", "draw")
    for name, x in (("quantities", q), ("reports", y), ("noise", noise)):
        if not np.isfinite(x).all():
            raise SchemaError("needs", f"{name} with numbers that are not finite", "leave them out, or mend the draws",
                              name)
    return q, y, noise, _codes(network, len(q))
