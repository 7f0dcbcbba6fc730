"""A small trial that was trained, with all its epochs kept."""

import pytest

from tests.trainables.small import SITE, small_trial
from trainables.measures.measure import Finished
from trainables.storage.storage import Storage
from trainables.training.fit import fit

TRIAL = small_trial(**{"data.test": True, "recipe.keep": 3, "recipe.augment": ()})


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    storage = Storage(tmp_path_factory.mktemp("storage"))
    assert fit(TRIAL, storage, SITE).status == "finished"
    return Finished(TRIAL, storage.trial(TRIAL.id), SITE)
