"""Optimizers: torch's own, without its compiler, whose import takes each process two seconds.

torch tells its compiler at each step, and where weights are given, to leave the optimizer alone.
Nothing here is compiled, so what torch has wrapped in that is called without the wrapping.
"""

from inspect import unwrap

import torch
from torch.optim import Optimizer


class Eager(Optimizer):
    """What all of them are called for, but for `step`."""

    add_param_group = unwrap(Optimizer.add_param_group)
    load_state_dict = unwrap(Optimizer.load_state_dict)
    state_dict = unwrap(Optimizer.state_dict)
    zero_grad = unwrap(Optimizer.zero_grad)


class SGD(Eager, torch.optim.SGD):
    """torch.optim.SGD."""

    step = torch.no_grad()(unwrap(torch.optim.SGD.step))


class Adam(Eager, torch.optim.Adam):
    """torch.optim.Adam."""

    step = torch.no_grad()(unwrap(torch.optim.Adam.step))
