"""What a worker looks for on its own machine, before it trains."""

from pathlib import Path

import pytest
from torch import Tensor

from tests.trainables.small import FORMATS, small_trial
from trainables.data.sources.digits import Digits
from trainables.heads.word_vectors import WordVectors
from trainables.labels.word_file import WordFile
from trainables.settings import Invalid, Use
from trainables.targets.knowledge import Knowledge
from trainables.trial import Trial
from trainables.worker.files import fetch, fetch_all

TREE = "\n".join(f"digit {name}" for name in Digits().names(Path()))


@pytest.fixture
def driver(tmp_path: Path) -> tuple[Trial, Path]:
    """A trial with a taxonomy, resolved on the driver, and the driver's data folder."""
    folder = tmp_path / "driver"
    folder.mkdir()
    (folder / "tree.txt").write_text(TREE)
    trial = small_trial().but(targets=Use(Knowledge, hierarchy="tree.txt"))
    return trial.resolved(folder, FORMATS), folder


def test_the_drivers_files_are_right(driver: tuple[Trial, Path]) -> None:
    fetch_all(*driver)


def test_a_file_that_is_missing_here_is_named(driver: tuple[Trial, Path], tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=f"there is no file {tmp_path}/tree.txt"):
        fetch_all(driver[0], tmp_path)


def test_a_file_with_other_content_is_not_the_drivers(
    driver: tuple[Trial, Path], tmp_path: Path
) -> None:
    (tmp_path / "tree.txt").write_text(TREE + "\n")
    said = rf"{tmp_path}/tree.txt has checksum \w+: must be \w+, as on the driver"
    with pytest.raises(Invalid, match=said):
        fetch_all(driver[0], tmp_path)


def test_of_a_word_file_the_rows_that_are_used_must_be_the_drivers(tmp_path: Path) -> None:
    names = Digits().names(Path())
    rows = [
        f"{n} {' '.join('1' if i == k else '0' for k in range(10))}" for i, n in enumerate(names)
    ]
    for folder, more in (("driver", []), ("longer", ["ten " + "2 " * 9 + "1"])):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "words.txt").write_text("\n".join(rows + more) + "\n")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/words.txt").write_text("\n".join(rows[::-1]).replace("1", "3") + "\n")
    head = Use(WordVectors, vectors=Use(WordFile, path="words.txt"))
    trial = small_trial().but(head=head).resolved(tmp_path / "driver", FORMATS)
    fetch_all(trial, tmp_path / "longer")
    with pytest.raises(Invalid, match="as on the driver"):
        fetch_all(trial, tmp_path / "other")


class Fetched(Digits):
    """Notes what is asked of it."""

    asked: list[str] = []  # noqa: RUF012  # one list for all

    def verify(self, folder: Path) -> None:
        self.asked.append("verify")

    @classmethod
    def fetch(cls, folder: Path, **settings: object) -> None:
        cls.asked.append("fetch")

    def load(self, folder: Path, part: str) -> tuple[Tensor, Tensor]:
        raise AssertionError("nothing is loaded to be fetched")


def test_a_data_set_is_verified_and_fetched_and_not_loaded(tmp_path: Path) -> None:
    Fetched.asked.clear()
    fetch(Use(Fetched), tmp_path)
    assert Fetched.asked == ["verify", "fetch"]


def test_what_is_right_is_looked_at_once_a_process(tmp_path: Path) -> None:
    Fetched.asked.clear()
    trial = small_trial()
    trial = trial.but(data=trial.data.but(source=Use(Fetched)))
    for _ in range(3):
        fetch_all(trial, tmp_path)
    assert Fetched.asked == ["verify", "fetch"]
