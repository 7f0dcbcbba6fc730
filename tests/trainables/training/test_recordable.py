from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F

from trainables.training.recordable import Watch

X, Y = torch.tensor([[1.0, -1.0], [2.0, 3.0]], requires_grad=True), torch.tensor([1, 0])


@pytest.mark.parametrize(
    ("what", "why"),
    [
        (lambda: float(X.detach().sum()), "a number is read"),
        (lambda: X.detach().sum() > 0 or None, "a number is read"),
        (lambda: torch.tensor([1.0, 2.0]), "a tensor is made of numbers"),
        (lambda: Y.new_tensor(3), "a tensor is made of numbers"),
        (lambda: (X > 0).nonzero(), "places are looked for"),
        (lambda: X[X > 0], "elements are selected by a mask"),
        (lambda: X.masked_select(X > 0), "elements are selected by a mask"),
        (lambda: Y.bincount(), "values are counted"),
        (lambda: Y.unique(), "different values are looked for"),
        (lambda: Y.unique(dim=0), "different values are looked for"),
        (lambda: X.detach().to("meta"), "a tensor is moved between devices"),
    ],
)
def test_what_a_program_must_wait_for_is_found(what: Callable[[], object], why: str) -> None:
    with Watch() as watch:
        what()
        what()
    assert watch.found.startswith(f"{why} in a step (aten.")


@pytest.mark.parametrize(
    "what",
    [
        lambda: F.cross_entropy(X @ X, Y).backward(),
        lambda: F.one_hot(Y, 2),  # which looks at the labels' range on a CPU alone
        lambda: X.masked_fill(X > 0, 0.0),
        lambda: torch.where(X > 0, X, 0.0),
        lambda: X[Y],
        lambda: X.double() + torch.rand_like(X),
        lambda: X.new_full((2,), 3.0) + torch.arange(2),
        lambda: X.quantile(0.5),
    ],
)
def test_anything_else_is_not(what: Callable[[], object]) -> None:
    with Watch() as watch:
        what()
    assert watch.found == ""
