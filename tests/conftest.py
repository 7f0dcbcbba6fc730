"""What tests of several packages share: a server of S3's API on this machine."""

import logging
from collections.abc import Iterator
from threading import Thread
from uuid import uuid4

import pytest

from trainables import storage


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The server's address. One request at a time, so that conditional puts are atomic, as S3's."""
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The s3:// URL of an empty place, for this process and those that it starts."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATESTKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-bucket")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    storage._client.cache_clear()
    name = f"bucket-{uuid4().hex}"
    storage._client().create_bucket(Bucket=name)
    yield f"s3://{name}/lab/studies"
    storage._client.cache_clear()
