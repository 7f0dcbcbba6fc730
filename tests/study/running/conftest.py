"""What the tests on a Ray of this machine share."""

from collections.abc import Iterator

import pytest
import ray

from study.running import cluster


@pytest.fixture(scope="module")
def connected() -> Iterator[None]:
    cluster.connect(None)
    yield
    ray.shutdown()
