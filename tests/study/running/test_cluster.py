"""Connecting to Ray, and the resources that it can grant."""

import signal
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
import ray

from study.request import Resources
from study.running import cluster
from trainables.settings import Invalid


def test_an_address_without_a_cluster_is_named_within_seconds() -> None:
    begun = time.monotonic()
    for address in ("127.0.0.1:9", "ray://127.0.0.1:9", "127.0.0.1:port"):
        with pytest.raises(Invalid, match=f"--address = {address}: must be host:port"):
            cluster.connect(address)
    assert time.monotonic() - begun < 10


def test_an_address_where_something_else_listens_is_refused() -> None:
    class Web(BaseHTTPRequestHandler):
        """Answers what is no request of its protocol with an error."""

        def log_message(self, *_: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Web) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"127.0.0.1:{server.server_port}"
        with pytest.raises(Invalid, match=rf"{address}: must be .*something else than Ray"):
            cluster.connect(address)
        server.shutdown()


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ({"gpus": 1.5}, "--gpus-per-trial = 1.5: must be whole where above 1"),
        ({"gpus": 0.00001}, "--gpus-per-trial = 1e-05: must be a multiple of 0.0001"),
        ({"cpus": 0.00001}, "--cpus-per-trial = 1e-05: must be a multiple of 0.0001"),
        ({"workers": 0}, "--workers-per-trial = 0: must be a whole number from 1 on"),
        (
            {"workers": 2, "gpus": 0.5},
            "--workers-per-trial = 2: must be 1, one for each GPU of --gpus-per-trial = 0.5",
        ),
        (
            {"workers": 1, "gpus": 4},
            "--workers-per-trial = 1: must be 4, one for each GPU of --gpus-per-trial = 4",
        ),
        (
            {"sync_batch_norm": True},
            "--sync-batch-norm: only together with --workers-per-trial from 2 on",
        ),
    ],
)
def test_what_ray_cannot_grant_is_refused(wanted: dict[str, Any], why: str) -> None:
    with pytest.raises(Invalid, match=f"^{why}$"):
        Resources(**wanted)
    assert Resources(cpus=1.5, gpus=0.0001).cpus == 1.5


@pytest.mark.slow
@pytest.mark.usefixtures("connected")
def test_a_trial_larger_than_every_node_is_refused() -> None:
    with pytest.raises(Invalid, match="--cpus-per-trial = 9999: must be at most"):
        cluster.fitted(Resources(cpus=9999))
    with pytest.raises(Invalid, match="--gpus-per-trial = 99: must be at most"):
        cluster.fitted(Resources(gpus=99))
    assert cluster.fitted(Resources(gpus=None)).gpus is not None


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        (
            Resources(cpus=32, gpus=1),
            "--cpus-per-trial = 32: must be at most 4, .* with 1 GPUs has",
        ),
        (Resources(cpus=32), "--cpus-per-trial = 32: must be at most 4, .* with 1 GPUs has"),
        (
            Resources(cpus=4, gpus=2),
            "--gpus-per-trial = 2: must be at most 1: all nodes .* workers of 4 CPUs, 1 GPUs",
        ),
        (
            Resources(cpus=2, gpus=0, workers=35),
            "--workers-per-trial = 35: must be at most 34: all nodes .* workers of 2 CPUs",
        ),
        (Resources(cpus=65, gpus=0), "--cpus-per-trial = 65: must be at most 64, .*est node has"),
    ],
)
def test_one_node_must_have_both_the_cpus_and_the_gpus_of_a_trial(
    wanted: Resources, error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    there: list[dict[str, float]] = [{"CPU": 64}, {"CPU": 4, "GPU": 1}]
    nodes = [{"Alive": True, "NodeManagerAddress": "a", "Resources": has} for has in there]
    monkeypatch.setattr(ray, "nodes", lambda: nodes)
    with pytest.raises(Invalid, match=f"^{error}$"):
        cluster.fitted(wanted)
    assert cluster.fitted(Resources(cpus=4)).gpus == 1
    assert cluster.fitted(Resources(cpus=64, gpus=0)).cpus == 64
    assert cluster.fitted(Resources(cpus=2, gpus=0, workers=34)).together == 34


def test_ray_leaves_the_handler_of_sigterm_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def init(**_: Any) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    cluster.connect(None)
    assert signal.getsignal(signal.SIGTERM) == before
