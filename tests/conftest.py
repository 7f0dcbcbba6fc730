"""The real data, unpacked once a session."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest


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
