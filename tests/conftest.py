"""What tests of several packages share: the real data, and a server of S3's API."""

import gc
import logging
import os
import subprocess
import sys
import zipfile
from collections import defaultdict
from collections.abc import Generator, Iterator
from pathlib import Path
from threading import Thread
from uuid import uuid4

import pytest

from trainables.storage.bucket import client


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """No search for garbage walks what is imported and collected, which lives to the end."""
    gc.disable()
    done = yield
    gc.collect()
    gc.freeze()
    gc.enable()
    return done


def pytest_unconfigure() -> None:
    gc.unfreeze()  # what is left at the exit is no leak


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take minutes come first: none of them is to be the last one, alone."""
    minutes: dict[Path, float] = defaultdict(float)
    for item in items:
        for mark in item.iter_markers("slow"):
            minutes[item.path] = max(minutes[item.path], mark.kwargs.get("minutes", 0.0))
    items.sort(key=lambda item: -minutes[item.path])


@pytest.fixture(scope="session", autouse=True)
def decoded_images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """They are kept for the tests alone, and not in the user's own folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STUDY_CACHE_DIR", str(tmp_path_factory.mktemp("decoded")))
        yield


@pytest.fixture(scope="module", autouse=True)
def no_ray_left() -> Iterator[None]:
    """A Ray that a file's tests have left is not the next file's, which starts its own."""
    yield
    ray = sys.modules.get("ray")
    if ray and ray.is_initialized():
        ray.shutdown()


@pytest.fixture(scope="session")
def archives() -> Path:
    """The folder with the packed data sets and their restore.py."""
    folder = os.environ.get("STUDY_TEST_DATA")
    if not folder:
        pytest.skip("STUDY_TEST_DATA is not set: it must name the folder of the real data")
    return Path(folder)


@pytest.fixture(scope="session")
def cifar(archives: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with CIFAR-10 and CIFAR-100."""
    folder = tmp_path_factory.mktemp("cifar")
    subprocess.run([sys.executable, archives / "restore.py", folder], check=True)
    return folder


@pytest.fixture(scope="session")
def tiny_imagenet(archives: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with tiny-imagenet-25/: train/ and val/, JPEG files."""
    folder = tmp_path_factory.mktemp("tiny")
    with zipfile.ZipFile(archives / "tiny-imagenet-25.zip") as archive:
        archive.extractall(folder)
    return folder


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
    client.cache_clear()
    name = f"bucket-{uuid4().hex}"
    client().create_bucket(Bucket=name)
    yield f"s3://{name}/lab/studies"
    client.cache_clear()
