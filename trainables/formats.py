"""Number and memory formats: what "auto" means on a kind of device."""

import torch


def formats_of(device: str) -> dict[str, str]:
    """`precision` and `memory_format` that are fastest on "cpu" or "cuda".

    bfloat16 where there are matrix units, channels_last everywhere: measured in docs/LOG.md.
    """
    precision = "bfloat16" if _matrix_units(device) else "float32"
    return {"precision": precision, "memory_format": "channels_last"}


def _matrix_units(device: str) -> bool:
    """Units for bfloat16 products: on a CPU AMX, or AVX-512's dot products (twice float32)."""
    if device == "cuda":
        # A GPU of the cluster that is not here has them: every one since 2020 (compute 8.0) does.
        return not torch.cuda.is_available() or torch.cuda.get_device_capability() >= (8, 0)
    units = torch.cpu.get_capabilities()
    return bool(units.get("amx_bf16") or units.get("avx512_bf16"))
