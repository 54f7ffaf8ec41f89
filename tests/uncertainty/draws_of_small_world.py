"""Draws of the small world that nobody solved for: small random numbers added to effects, deviations as real draws."""
import numpy as np
import pandas as pd
import torch

from humanflows.model import posterior
from humanflows.model.perturbation import unlearned_deviations
from humanflows.model.train import Member, build_member


def make_member(panel, splits, config, seed=3) -> Member:
    """An untrained member; the cell reads covariates as its first weights have it."""
    torch.manual_seed(seed)
    model, observation, _ = build_member(panel, splits, config)
    model.read_covariates()
    return Member(model, observation, pd.DataFrame(), float("nan"))


def fake_draws(members, config, number):
    """As ``draws.walk_draws``: of each member the same objects with other values each time."""
    for k, member in enumerate(members, 1):
        model, start = member.model, {n: getattr(member.model, n).detach().clone() for n in posterior.EFFECTS}
        said, stock = model.read_covariates().clone(), model.stock_initial.clone()
        for draw in range(1, number + 1):
            rng = np.random.default_rng([k, draw])
            with torch.no_grad():
                for name, value in start.items():
                    getattr(model, name).copy_(value + 0.1 * torch.as_tensor(rng.normal(size=tuple(value.shape))))
            model.stock_initial = stock * float(np.exp(0.01 * rng.normal()))
            model.systematic = said + unlearned_deviations(model, config.effects, (k, draw))
            yield k, draw, member
        model.stock_initial, model.systematic = stock, said
        with torch.no_grad():
            for name, value in start.items():
                getattr(model, name).copy_(value)
