"""Tangent: how the features of images change along a direction of a net's weights.

One pass in forward mode, exact. torch would make each operation of the first pass again. Here its
convolutions are noted, and batch norm has its tangent by two kernels: most of the time.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.func import functional_call
from torch.overrides import TorchFunctionMode

from trainables.model import Model
from trainables.seeding import chance, set_chance

KEPT = 0.75  # of the bytes of all convolutions' outputs, while a pass's graph is let go


class Pass:
    """Images shown to a model, with what the tangent of the features needs to be known of it.

    That is the chance which dropout drew from, and what each convolution gave. The latter is in
    the graph of the pass as well, so that it takes no memory of its own.
    """

    def __init__(self, model: Model, x: Tensor) -> None:
        self.model, self.x = model, x
        self._chance = _chance(x.device)
        self._convolved = _Convolved()
        with self._convolved:
            self.out = model(x)

    def let_go(self) -> None:
        """Of what was noted, but for the last convolutions: much is computed there of small maps.

        Where the graph is let go, too, that is what makes the pass's second time cheaper.
        """
        self._convolved.keep_last(KEPT)

    def again(self) -> None:
        """The same numbers once more, noted, with a graph of their own; no statistics move."""
        self._convolved = _Convolved(known=self._convolved)
        with self._same_chance(), self._convolved:
            self.out = functional_call(self.model, copies(self.model), (self.x,))

    def tangent(self, along: Sequence[Tensor]) -> Tensor:
        """(n, d) the derivative of the features along a direction of the net's last weights.

        Once a pass: what was noted is let go.
        """
        if not along:
            return torch.zeros_like(self.out.features)
        net = self.model.net
        with torch.no_grad(), forward_ad.dual_level(), self._same_chance():
            weights = {name: w.detach() for name, w in net.named_parameters()}
            last = list(weights)[len(weights) - len(along) :]
            weights |= {n: _dual(weights[n], [t]) for n, t in zip(last, along, strict=True)}
            with _Tangents(self._convolved):
                features, _ = functional_call(net, {**weights, **copies(net)}, (self.x,))
            features, tangent = _parts(features)
        return torch.zeros_like(features) if tangent is None else tangent

    @contextmanager
    def _same_chance(self) -> Iterator[None]:
        """What is drawn inside is what the pass drew; then drawing goes on as before."""
        before = _chance(self.x.device)
        _draw_from(self._chance)
        try:
            yield
        finally:
            _draw_from(before)


class _Replacing(TorchFunctionMode, ABC):
    """Calls others in the place of some functions of torch."""

    @abstractmethod
    def instead(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Of this function; itself where it is not replaced."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        return self.instead(func)(*args, **(kwargs or {}))


class _Convolved(_Replacing):
    """Notes what convolutions give, by their weight and how many times it was used before.

    What is known of them is not computed again.
    """

    def __init__(self, known: "_Convolved | None" = None) -> None:
        super().__init__()
        self.noted: dict[tuple[int, int], tuple[Tensor, int]] = {}  # an output and its version
        self._uses, self._taken = Counter[int](), Counter[int]()
        self._known = known

    def instead(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return self._convolve if func is torch.conv2d else func

    def _convolve(
        self,
        input: Tensor,  # noqa: A002  # torch's name
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Tensor:
        known = self._known.take(weight, input) if self._known else None
        out: Tensor
        if known is None or isinstance(padding, str):
            out = torch.conv2d(input, weight, bias, stride, padding, dilation, groups)
        else:
            how = (*map(_pair, (stride, padding, dilation)), groups)
            out = _Convolution.apply(input, weight, bias, known, how)
        key = weight.data_ptr()
        self.noted[key, self._uses[key]] = (out.detach(), out._version)
        self._uses[key] += 1
        return out

    def take(self, weight: Tensor, x: Tensor) -> Tensor | None:
        """What the next convolution of x by the weight gave, if that is unchanged since.

        None as well where autocast has changed the numbers' precision.
        """
        key = weight.data_ptr()
        out, version = self.noted.pop((key, self._taken[key]), (None, 0))
        self._taken[key] += 1
        if out is None or out._version != version:
            return None
        return out if out.dtype == x.dtype == weight.dtype else None

    def keep_last(self, share: float) -> None:
        """Forgets all but the last outputs that together have this share of all bytes."""
        room = share * sum(out.nbytes for out, _ in self.noted.values())
        for key, (out, _) in reversed(list(self.noted.items())):
            room -= out.nbytes
            if room < 0:
                del self.noted[key]


class _Convolution(torch.autograd.Function):
    """A convolution whose output is known."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, out: Tensor, how: Sequence[Any]
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.sizes, ctx.how = None if bias is None else bias.shape, how
        return out.detach()

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        stride, padding, dilation, groups = ctx.how
        return (
            *torch.ops.aten.convolution_backward(
                slopes[0],
                *ctx.saved_tensors,
                ctx.sizes,
                stride,
                padding,
                dilation,
                False,
                [0, 0],
                groups,
                ctx.needs_input_grad[:3],
            ),
            None,
            None,
        )


def _pair(value: Any) -> Sequence[int]:
    return [value, value] if isinstance(value, int) else value


class _Tangents(_Replacing):
    """Convolutions and batch norms with tangents of our own; all else as torch has it."""

    def __init__(self, convolved: _Convolved) -> None:
        super().__init__()
        self._convolved = convolved

    def instead(self, func: Callable[..., Any]) -> Callable[..., Any]:
        if func is torch.conv2d:
            return partial(_convolve, self._convolved)
        return _normalise if func is F.batch_norm else func


def _convolve(
    convolved: _Convolved,
    input: Tensor,  # noqa: A002  # torch's name
    weight: Tensor,
    bias: Tensor | None = None,
    *how: Any,
    **named: Any,
) -> Tensor:
    """A convolution is linear in its input, and in weight and bias together."""
    (x, dx), (w, dw), (b, db) = _parts(input), _parts(weight), _parts(bias)
    out = convolved.take(weight, x)
    if out is None:
        out = torch.conv2d(x, w, b, *how, **named)
    changes = [torch.conv2d(dx, w, None, *how, **named)] if dx is not None else []
    if dw is not None:
        changes.append(torch.conv2d(x, dw, db, *how, **named))
    elif db is not None:
        changes.append(db.view(-1, 1, 1).expand_as(out))
    return _dual(out, changes)


def _normalise(
    input: Tensor,  # noqa: A002  # torch's name
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Batch norm is linear in weight and bias; its slope by the input is its own transpose."""
    (x, dx), (w, dw), (b, db) = _parts(input), _parts(weight), _parts(bias)
    running = (None, None) if training else (running_mean, running_var)
    out, mean, inverse = torch.native_batch_norm(x, w, b, *running, training, momentum, eps)
    changes = []
    if dx is not None:
        by_input, _, _ = torch.ops.aten.native_batch_norm_backward(
            dx, x, w, *running, mean, inverse, training, eps, [True, False, False]
        )
        changes.append(by_input)
    if dw is not None or db is not None:
        known = (mean, inverse.pow(-2) - eps) if training else running
        dw = torch.zeros_like(db) if dw is None else dw
        changes.append(F.batch_norm(x, *known, dw, db, eps=eps))
    return _dual(out, changes)


def copies(module: nn.Module) -> dict[str, Tensor]:
    """Of the buffers, so that a pass that is only tried changes no running statistics."""
    return {name: buffer.clone() for name, buffer in module.named_buffers()}


def _dual(value: Tensor, changes: Sequence[Tensor]) -> Tensor:
    """With the sum of its changes as tangent, if there are any; the first one is overwritten."""
    if not changes:
        return value
    tangent = changes[0]
    for change in changes[1:]:
        tangent += change
    return forward_ad.make_dual(value, tangent)  # type: ignore[no-any-return,no-untyped-call]


def _parts(value: Tensor | None) -> tuple[Any, Any]:
    """A tensor and its tangent, or None."""
    return (None, None) if value is None else forward_ad.unpack_dual(value)  # type: ignore[no-untyped-call]


def _chance(device: torch.device) -> dict[torch.device, Tensor]:
    """Where the generators of the CPU and of the device are."""
    return {place: chance(place) for place in (torch.device("cpu"), device)}


def _draw_from(states: Mapping[torch.device, Tensor]) -> None:
    for place, state in states.items():
        set_chance(state, place)
