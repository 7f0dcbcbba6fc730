"""Trackers that cannot be opened, or that fail while they are read."""

import threading
import time
from http.server import HTTPServer, SimpleHTTPRequestHandler

import pytest
from mlflow.exceptions import MlflowException

from study.tracking_client import check_reachable, reading
from trainables.settings import Invalid


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("http://127.0.0.1:9", "refused"),
        ("postgresql://127.0.0.1:9/records", "refused"),
        ("htp://host", "htp"),
        ("mlruns", "URL"),
        ("sqlite:////proc/nowhere/mlflow.db", "unable to open"),
        (f"sqlite:///{__file__}", "not a database"),
    ],
)
def test_a_tracker_that_cannot_be_opened_is_refused_at_once(uri: str, why: str) -> None:
    begun = time.monotonic()
    with pytest.raises(Invalid, match=rf"--tracking-uri = {uri}: must be the address .*{why}"):
        check_reachable(uri)
    assert time.monotonic() - begun < 6


def test_a_server_that_is_no_tracker_is_refused() -> None:
    with HTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(Invalid, match="must be the address of a running MLflow server"):
            check_reachable(f"http://127.0.0.1:{server.server_port}")
        server.shutdown()


def test_what_a_tracker_answers_while_it_is_read_is_told_in_a_line() -> None:
    with pytest.raises(Invalid, match=r"^--tracking-uri = http://\*\*\*@host: must be .*\(gone\)$"):
        with reading("http://me:hush@host"):
            raise MlflowException("gone\nand more")
