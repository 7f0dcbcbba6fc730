"""Recordable: whether what runs could be recorded as a CUDA graph, seen on any device."""

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

ATEN = torch.ops.aten
WAITING = {  # a program must wait for the numbers of these, or copies its own to the device
    ATEN._local_scalar_dense.default: "a number is read",
    ATEN.lift_fresh.default: "a tensor is made of numbers",
    ATEN.nonzero.default: "places are looked for",
    ATEN.masked_select.default: "elements are selected by a mask",
    ATEN.bincount.default: "values are counted",
    ATEN.unique_dim.default: "different values are looked for",
    ATEN._unique2.default: "different values are looked for",
}
INDEXING = {ATEN.index.Tensor, ATEN.index_put.default, ATEN.index_put_.default}


class Watch(TorchDispatchMode):
    """Sees what a recording cannot have; `found` says it, or is empty."""

    def __init__(self, draws: bool = True) -> None:  # whether it may use chance
        super().__init__()  # type: ignore[no-untyped-call]
        self.found = ""
        self._draws = draws
        self._ranges: list[Any] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = func(*args, **(kwargs or {}))
        self.found = self.found or self._refused(func, args, given)
        return given

    def _refused(self, func: Any, args: Any, given: Any) -> str:
        if func is ATEN.aminmax.default and not args[0].is_cuda:
            # By this one_hot looks on a CPU whether labels are in range; on a GPU it does not.
            self._ranges += given
        elif func in WAITING and not any(args[0] is end for end in self._ranges):
            return f"{WAITING[func]} in a step ({func})"
        elif torch.Tag.nondeterministic_seeded in func.tags and not self._draws:
            return f"chance is used in a step ({func})"
        elif func in INDEXING and any(i is not None and i.dtype == torch.bool for i in args[1]):
            return f"elements are selected by a mask in a step ({func})"
        elif func in (ATEN._to_copy.default, ATEN.copy_.default) and _moves(args, given):
            return f"a tensor is moved between devices in a step ({func})"
        return ""


def _moves(args: Any, given: Tensor) -> bool:
    return any(isinstance(tensor, Tensor) and tensor.device != given.device for tensor in args)
