import pytest
import torch

from trainables.recipe import Recipe
from trainables.training.site import formats_of

FAST = {"precision": "bfloat16", "memory_format": "channels_last"}
PLAIN = {"precision": "float32", "memory_format": "channels_last"}


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        ({"amx_bf16": True, "avx512_bf16": True}, FAST),
        ({"amx_bf16": False, "avx512_bf16": True}, FAST),
        ({"amx_bf16": False, "avx512_bf16": False, "avx2": True}, PLAIN),
        ({"architecture": "aarch64"}, PLAIN),
    ],
)
def test_a_cpu_with_units_for_bfloat16_uses_them(
    units: dict[str, bool], expected: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: units)
    assert formats_of("cpu") == expected


@pytest.mark.parametrize(
    ("capability", "expected"), [((7, 5), PLAIN), ((8, 0), FAST), ((9, 0), FAST)]
)
def test_a_gpu_uses_bfloat16_from_compute_capability_8_on(
    capability: tuple[int, int], expected: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    assert formats_of("cuda") == expected


def test_a_gpu_that_is_not_here_counts_as_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert formats_of("cuda") == FAST


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_recipe_takes_the_formats_of_every_device(device: str) -> None:
    formats = formats_of(device)
    recipe = Recipe(epochs=1, schedule="constant").but(**formats)
    assert formats == {"precision": recipe.precision, "memory_format": recipe.memory_format}
