"""Worker: a trial on a node of a Ray cluster; the one folder of this package that knows Ray."""

import gc
from importlib import import_module

import ray

if ray.is_initialized() and ray.get_runtime_context().worker.mode == ray.WORKER_MODE:
    # What a worker imports lives to its end. To look through it for garbage again and again would
    # take a fifth of a worker's start.
    gc.disable()
    import_module("trainables.training.fit_fused")
    gc.freeze()
    gc.enable()
