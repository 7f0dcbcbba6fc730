"""The small study, and a tracker that has recorded it."""

import pytest
from mlflow import MlflowClient

from tests.analysis.worlds import World, record, small_world


@pytest.fixture
def world() -> World:
    return small_world()


@pytest.fixture(scope="session")
def tracking_uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tracker with the small study as kesl_ablation.demo. Tests may add other studies to it."""
    folder = tmp_path_factory.mktemp("tracker")
    uri = f"sqlite:///{folder}/mlflow.db"
    artifacts = (folder / "artifacts").as_uri()
    MlflowClient(uri).create_experiment("label-studies", artifact_location=artifacts)
    record(uri, small_world())
    return uri
