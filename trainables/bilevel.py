"""Bilevel: how a loss on clean images, after one virtual step, depends on what weighs the step.

w' = w - lr * grad_w L(w, theta) is a step of plain SGD, without momentum or weight decay. With
g = the gradient of the meta loss at w', the hyper-gradient, that of the meta loss by theta, is

    -lr * d/dtheta <grad_w L(w, theta), g>

Both ways below are exact. `forward_mode` needs theta to enter behind the features only. Then the
net's part of the product is <dL/df, f'>, where f' is the tangent of the features f along g: one
pass in forward mode, in place of a second backward pass through all that led to w'.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import grad
from torch.func import functional_call

from trainables.data.data import Batch
from trainables.model import Model
from trainables.tangent import Pass, copies

Weights = Mapping[str, Tensor]  # of a model's net and head, by name
Objective = Callable[[Tensor], Tensor]  # from features (n, d) to a loss, a scalar


def weights_of(model: Model) -> dict[str, Tensor]:
    """The weights of net and head, in this order, by their names in the model."""
    parts = {"net": model.net, "head": model.head}
    return {f"{a}.{b}": w for a, part in parts.items() for b, w in part.named_parameters()}


def meta_loss(model: Model, weights: Weights, batch: Batch, noted: bool = False) -> Tensor:
    """Mean cross-entropy with these weights, by the batch's own statistics.

    Running statistics move by them if these are `noted`.
    """
    buffers = {} if noted else copies(model)
    out = functional_call(model, {**weights, **buffers}, (batch.x,))
    return F.cross_entropy(out.scores, batch.y)


def forward_mode(
    shown: Pass,
    objective: Objective,
    meta: Callable[[Weights], Tensor],
    theta: Sequence[Tensor],
    lr: float,
    layers: int | None = None,
    lean: bool = False,
) -> tuple[Tensor, ...]:
    """The hyper-gradient for each of `theta`; the graph of the pass is kept.

    With `layers` it is what flows through the step of so many last weights of the net, and of the
    head. `lean`: the graph is let go before `meta` makes its own, and then made again.
    """
    model, features = shown.model, shown.out.features
    net, head = list(model.net.parameters()), list(model.head.parameters())
    shut = _shut(model, layers)
    held = features.detach().requires_grad_()
    by_features, *by_head = _gradient(objective(held), [held, *head], create_graph=True)
    by_net = _gradient(features, net, by_features.detach(), retain_graph=not lean)
    if lean:
        shown.let_go()
    ahead = _stepped(model, (*by_net, *(g.detach() for g in by_head)), lr)
    at = [w.requires_grad_() for w in list(ahead.values())[shut:]]
    along = _gradient(meta(ahead), at)
    if lean:
        shown.again()
    tangent = shown.tangent(along[: len(net) - shut])
    product = (by_features * tangent).sum()
    for g, direction in zip(by_head, along[len(net) - shut :], strict=True):
        product = product + (g * direction).sum()
    return tuple(-lr * g for g in _gradient(product, theta))


def double_backward(
    model: Model,
    features: Tensor,
    objective: Objective,
    meta: Callable[[Weights], Tensor],
    theta: Sequence[Tensor],
    lr: float,
    layers: int | None = None,
) -> tuple[Tensor, ...]:
    """The same for any theta, at nearly twice the cost. The graph of `features` is kept."""
    weights = list(weights_of(model).values())
    by_weights = _gradient(objective(features), weights, create_graph=True)
    shut = _shut(model, layers)
    slopes = (*(g.detach() for g in by_weights[:shut]), *by_weights[shut:])
    return _gradient(meta(_stepped(model, slopes, lr)), theta, retain_graph=True)


def _stepped(model: Model, slopes: Sequence[Tensor], lr: float) -> dict[str, Tensor]:
    """The weights after a step of plain SGD."""
    pairs = zip(weights_of(model).items(), slopes, strict=True)
    return {name: w.detach() - lr * g for (name, w), g in pairs}


def _shut(model: Model, layers: int | None) -> int:
    """How many of the net's first weights the hyper-gradient does not flow through."""
    weights = len(list(model.net.parameters()))
    return 0 if layers is None else max(0, weights - layers)


def _gradient(
    of: Tensor, by: Sequence[Tensor], along: Tensor | None = None, **graph: bool
) -> tuple[Tensor, ...]:
    """Zeros for what `of` does not depend on, and for weights that are not to change."""
    free = [x for x in by if x.requires_grad]
    found = iter(grad(of, free, along, materialize_grads=True, **graph) if free else ())
    return tuple(next(found) if x.requires_grad else torch.zeros_like(x) for x in by)
