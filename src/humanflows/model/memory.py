"""Whether a training fits into memory, before it is begun: a machine that runs short ends a process without a word."""
import psutil
import torch
import xarray as xr

from ..config import Config
from ..errors import ConfigError
from .network import MIXES

# Bytes, measured on trainings of cells from 64 to 1024 wide: of a row that the cell reads, with what its gradient
# needs, by each unit of layers and memory; and of a weight, with its gradient and two moments.
OF_UNIT, OF_WEIGHT = 120, 16


def needed_bytes(panel: xr.Dataset, config: Config) -> int:
    """About how much memory the cell takes in its largest step, beside what any training takes."""
    years, n = panel.sizes["year"], panel.sizes["origin"]
    model, settings = config.model, config.train
    histories = min(settings.history_batch, n * n) * years
    balances = 2 * n * years * max(1, min(settings.history_batch, n * n) // (2 * n))
    rows = max(min(settings.year_batch, panel.sizes["observation"]), histories, balances)
    weights = MIXES * model.width ** 2 + 2 * model.width * (model.hidden + model.embedding) + model.hidden * model.width
    return OF_UNIT * rows * (model.width + model.hidden) + OF_WEIGHT * weights


def available_bytes(device: torch.device) -> int:
    """Free memory of a device."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else psutil.virtual_memory().available


def check_memory(panel: xr.Dataset, config: Config, device: torch.device) -> None:
    """Refuse a training that cannot fit.

    Parameters
    ----------
    panel, config : of a member.
    device : where it is to be trained.

    Raises
    ------
    ConfigError
        When it needs more memory than is free.
    """
    needed, free = needed_bytes(panel, config), available_bytes(device)
    if needed > free:
        raise ConfigError("training", f"a cell of width {config.model.width} and memory {config.model.hidden} with "
                          f"these batches needs about {needed / 2**30:.1f} GiB; {free / 2**30:.1f} are free on "
                          f"{device.type}", "use smaller model.width, model.hidden, train.history_batch or "
                          "train.year_batch", key="model.width")
