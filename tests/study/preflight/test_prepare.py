"""What is found before the first trial starts."""

import os
import shutil
from collections import namedtuple
from pathlib import Path
from typing import ClassVar

import psutil
import pytest
from PIL import Image
from torch import Tensor, nn

from study.preflight import prepare
from trainables.data.sources.digits import Digits
from trainables.data.sources.image_folder import ImageFolder
from trainables.heads.word_vectors import WordVectors
from trainables.labels.words import Embedded
from trainables.methods.method import Method
from trainables.model import Model
from trainables.nets.net import Net
from trainables.settings import Invalid, Use
from trainables.storage.storage import Storage
from trainables.targets.knowledge import Knowledge
from trainables.task import Task
from trainables.trial import Trial

FORMATS = {"precision": "float32", "memory_format": "contiguous"}


def test_a_ready_trial_has_its_formats_and_its_id(trial: Trial) -> None:
    auto = trial.but(recipe=trial.recipe.but(precision="auto"))
    ready, trial_id = prepare.ready(auto, Path("/nowhere"), FORMATS)
    assert ready.recipe.precision == "float32"
    assert ready.id == trial_id == trial.id


def test_files_enter_the_id_by_content(trial: Trial, tmp_path: Path) -> None:
    lines = "".join(f"digit {name}\n" for name in Digits().names(tmp_path))
    ids = {}
    for name, text in (("a", lines), ("b", lines), ("c", lines.replace("digit", "number"))):
        (tmp_path / name).write_text(text)
        knowing = trial.but(targets=Use(Knowledge, hierarchy=name))
        ids[name] = prepare.ready(knowing, tmp_path, FORMATS)[1]
    assert ids["a"] == ids["b"] != ids["c"]


def test_everything_that_is_missing_is_named_at_once(trial: Trial, tmp_path: Path) -> None:
    lacking = trial.but(targets=Use(Knowledge, hierarchy="tree.txt"))
    (line,) = prepare.missing(lacking, tmp_path)
    assert "tree.txt" in line
    assert prepare.missing(trial, tmp_path) == []


def test_what_is_there_and_cannot_be_used_is_not_missing(trial: Trial, tmp_path: Path) -> None:
    (tmp_path / "tree.txt").symlink_to("/proc/self/mem")  # may be opened, but not read
    lacking = trial.but(targets=Use(Knowledge, hierarchy="tree.txt"))
    with pytest.raises(Invalid, match=r"tree\.txt cannot be read"):
        prepare.missing(lacking, tmp_path)


def test_what_a_command_has_looked_at_it_does_not_look_at_again(
    trial: Trial, tmp_path: Path
) -> None:
    tree = tmp_path / "tree.txt"
    knowing = trial.but(targets=Use(Knowledge, hierarchy="tree.txt"))
    seen: dict[Use, str | None] = {}
    (missing,) = prepare.missing(knowing, tmp_path, seen)
    tree.write_text("".join(f"digit {name}\n" for name in Digits().names(tmp_path)))
    assert prepare.missing(knowing, tmp_path, seen) == [missing]
    assert prepare.missing(knowing, tmp_path) == []
    known: prepare.Known = {}
    first = prepare.ready(knowing, tmp_path, FORMATS, known)
    tree.unlink()
    assert prepare.ready(knowing, tmp_path, FORMATS, known) == first
    with pytest.raises(Invalid, match=r"no file .*tree\.txt"):
        prepare.ready(knowing, tmp_path, FORMATS)


def images(folder: Path) -> Use:
    """Of birds/ in the folder: two classes of one training and one test image."""
    for part in ("train", "test"):
        for name in ("crow", "jay"):
            (folder / "birds" / part / name).mkdir(parents=True)
            Image.new("L", (9, 9)).save(folder / "birds" / part / name / "0.png")
    counts = {"classes": 2, "images": 2, "test_images": 2}
    return Use(ImageFolder, path="birds", side=8, resize=8, **counts)


def test_what_is_ignored_of_a_data_set_is_told_once(trial: Trial, tmp_path: Path) -> None:
    with_images = trial.but(data=trial.data.but(source=images(tmp_path)))
    (tmp_path / "birds/test/.DS_Store").touch()
    two = (with_images, with_images.but(seed=1), trial)
    line = f"{tmp_path}/birds/test: 1 hidden file ignored"
    assert prepare.remarks(two, tmp_path, None) == [line]
    assert prepare.remarks(two, tmp_path / "nowhere", None) == []


def test_numbers_are_counted_where_a_trial_is_made_ready(trial: Trial, tmp_path: Path) -> None:
    given = images(tmp_path)
    open_numbers = given.but(classes=None, images=None, test_images=None)
    ids = {
        prepare.ready(trial.but(data=trial.data.but(source=use)), tmp_path, FORMATS)
        for use in (given, open_numbers, open_numbers.but(images=2))
    }
    ((ready, _),) = ids
    assert ready.data.source["classes"] == 2
    assert prepare.counted(trial, tmp_path) is trial


def test_a_class_too_small_to_hold_images_out_is_named(trial: Trial, tmp_path: Path) -> None:
    few = trial.but(data=trial.data.but(source=images(tmp_path), train_per_class=None))
    message = "validation = 0.1: must be 0, or class 'crow' must have more than its one image"
    with pytest.raises(Invalid, match=message):
        prepare.check_parts([few], tmp_path)


def test_a_part_that_is_known_is_not_built_again(trial: Trial, tmp_path: Path) -> None:
    known: set[prepare.Case] = set()
    prepare.check_parts([trial], tmp_path, known)
    assert {use.name for *_, use in known} == {*(u.name for u in trial.uses())} - {
        *("Digits", "Shuffle")
    }
    wrong = trial.but(method=Use(Impossible))
    for _ in range(2):  # what could not be built is not known
        with pytest.raises(Invalid, match="not with"):
            prepare.check_parts([wrong], tmp_path, known)


def test_too_few_images_are_found_before_any_is_read(trial: Trial, tmp_path: Path) -> None:
    few = images(tmp_path).but(images=3)
    (tmp_path / "birds/test/jay/0.png").write_text("no image")
    with pytest.raises(Invalid, match="is incomplete: 2 of 3 images"):
        prepare.ready(trial.but(data=trial.data.but(source=few)), tmp_path, FORMATS)


def test_every_part_is_built_before_ray_starts(trial: Trial, tmp_path: Path) -> None:
    (tmp_path / "tree.txt").write_text("digit zero\ndigit one\n")
    wrong = trial.but(targets=Use(Knowledge, hierarchy="tree.txt"))
    prepare.check_parts([trial], tmp_path)
    with pytest.raises(Invalid, match=r"tree\.txt"):
        prepare.check_parts([trial, wrong], tmp_path)


def test_every_head_is_built_with_the_classes_of_its_data(trial: Trial, tmp_path: Path) -> None:
    prepare.check_parts([trial], tmp_path)
    same = Use(Embedded, substitutes=("zero=one",))
    with pytest.raises(Invalid, match="classes 'zero' and 'one' have one vector"):
        prepare.check_parts([trial, trial.but(head=Use(WordVectors, vectors=same))], tmp_path)


def test_more_images_of_a_class_than_there_are_are_refused(trial: Trial, tmp_path: Path) -> None:
    many = trial.but(data=trial.data.but(train_per_class=1000))
    with pytest.raises(Invalid, match=r"train_per_class = 1000: must be at most \d+, the images"):
        prepare.check_parts([trial, many], tmp_path)


class Impossible(Method):
    def __init__(self, model: Model, task: Task) -> None:
        raise Invalid(f"not with {task.recipe.epochs} epochs")


def test_every_method_is_built_with_its_trial(trial: Trial, tmp_path: Path) -> None:
    prepare.check_parts([trial], tmp_path)
    with pytest.raises(Invalid, match=f"not with {trial.recipe.epochs} epochs"):
        prepare.check_parts([trial, trial.but(method=Use(Impossible))], tmp_path)


class Long(Method):
    def __init__(self, model: Model, task: Task) -> None:
        super().__init__(model, task)
        if task.steps < 3:
            raise Invalid(f"not with {task.steps} steps an epoch")


def test_every_method_is_built_with_each_length_of_an_epoch(trial: Trial, tmp_path: Path) -> None:
    long = trial.but(method=Use(Long))
    prepare.check_parts([long], tmp_path)
    larger = long.but(recipe=long.recipe.but(batch_size=20))
    fewer = long.but(data=long.data.but(train_per_class=2))
    for short in (larger, fewer):
        with pytest.raises(Invalid, match="not with 2 steps"):
            prepare.check_parts([long, short], tmp_path)


class Started(Net):
    features = 1
    devices: ClassVar[dict[str, str]] = {}

    def __init__(self, task: Task, *, weights: str = "none") -> None:
        super().__init__(task)
        self.layer = nn.Linear(task.channels, 1)
        self.devices[weights] = self.layer.weight.device.type

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        raise NotImplementedError


def test_a_net_is_counted_without_memory_and_without_its_file(trial: Trial, tmp_path: Path) -> None:
    prepare.check_parts([trial.but(net=Use(Started, weights="file"))], tmp_path)
    assert Started.devices == {"none": "meta", "file": "cpu"}


class Broken(Method):
    def __init__(self, model: Model, task: Task, *, error: str) -> None:
        raise {"TypeError": TypeError, "MemoryError": MemoryError}[error]("")


@pytest.mark.parametrize(
    ("width", "valid"),
    [
        (10**4, "a net for the .* its weights take 1[01][0-9].[0-9]$"),
        (10**30, "a part that this machine"),
    ],
)
def test_a_net_that_memory_cannot_hold_is_refused(
    width: int, valid: str, trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = namedtuple("memory", "available")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory(2**36))  # 64 GiB
    wide = trial.but(net=trial.net.but(width=width))
    with pytest.raises(Invalid, match=rf"^CifarResNet\(.*width={width}\): must be {valid}"):
        prepare.check_parts([wide], tmp_path)


def test_a_net_is_held_against_the_memory_that_is_free(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = namedtuple("memory", "available")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory(2**10))
    with pytest.raises(Invalid, match=r"must be a net for the 0\.0 GiB .* weights take 0\.0$"):
        prepare.check_parts([trial], tmp_path)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory(2**28))
    prepare.check_parts([trial], tmp_path)


def test_a_fault_of_a_part_keeps_its_traceback(trial: Trial, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"^Broken\(.*\(out of memory\)$"):
        prepare.check_parts([trial.but(method=Use(Broken, error="MemoryError"))], tmp_path)
    with pytest.raises(TypeError):
        prepare.check_parts([trial.but(method=Use(Broken, error="TypeError"))], tmp_path)


@pytest.mark.parametrize("writes", [True, False])
def test_a_storage_that_is_a_file_is_refused(tmp_path: Path, writes: bool) -> None:
    (tmp_path / "file").touch()
    for name in ("file", "file/in"):
        with pytest.raises(Invalid, match=rf"--storage = .*{name}: must be a folder to write in"):
            prepare.check_storage(Storage(tmp_path / name), writes)


def test_a_storage_that_is_only_looked_at_is_not_made(tmp_path: Path) -> None:
    prepare.check_storage(Storage(tmp_path / "a" / "b"), writes=False)
    assert not list(tmp_path.iterdir())
    prepare.check_storage(Storage(tmp_path / "a" / "b"))
    assert (tmp_path / "a" / "b").is_dir()


def test_a_bucket_is_only_looked_at_where_nothing_is_to_be_written(bucket: str) -> None:
    prepare.check_storage(Storage(bucket), writes=False)
    assert Storage(bucket).top.names("*") == []
    with pytest.raises(Invalid, match="--storage = s3://none-such/x: must be a bucket to write in"):
        prepare.check_storage(Storage("s3://none-such/x"), writes=False)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_storage_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(Invalid, match="must be a folder to write in"):
        prepare.check_storage(Storage(tmp_path))


def test_a_full_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9, 2**20))
    with pytest.raises(Invalid, match="must have 256 MiB free, has 1"):
        prepare.check_storage(Storage(tmp_path))
