"""One contract for both storages: a folder, and S3 (a real server of its API)."""

import json
import os
import pickle
import signal
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

import cloudpickle
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import tensor

from trainables.data.sources.digits import Digits
from trainables.data.spec import DataSpec
from trainables.nets.resnet import CifarResNet
from trainables.recipe import Recipe
from trainables.settings import Invalid, Use
from trainables.storage.bucket import Bucket, client
from trainables.storage.folder import Folder
from trainables.storage.shelf import Shelf
from trainables.storage.storage import Storage
from trainables.storage.trial_files import TrialFiles
from trainables.training.fit import fit
from trainables.training.site import Site
from trainables.trial import Trial


@pytest.fixture(params=["folder", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "s3":
        return Storage(request.getfixturevalue("bucket"))
    return Storage(tmp_path)


@pytest.fixture
def shelf(storage: Storage) -> Shelf:
    return storage.trial("shelf").shelf


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "shelf")


class Harmful:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_what_is_written_is_read(shelf: Shelf) -> None:
    shelf.write("log", b"one")
    shelf.write("log", b"two")
    assert shelf.read("log") == b"two"


def test_what_was_never_written_is_none(shelf: Shelf) -> None:
    assert shelf.read("log") is None
    assert shelf.read_json("result.json") is None
    assert shelf.names("*") == []
    assert shelf.modified("log") is None
    assert shelf.version("log") is None
    with pytest.raises(FileNotFoundError):
        shelf.load("model.pt")


NAMES = st.sampled_from(["result.json", "log.txt", "checkpoint-000000001.pt", "epoch-00001.pt"])


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.tuples(NAMES, st.none() | st.binary(max_size=20)), max_size=12))
def test_it_is_a_map_from_names_to_contents(
    storage: Storage, steps: list[tuple[str, bytes | None]]
) -> None:
    shelf = storage.trial(os.urandom(6).hex()).shelf
    expected: dict[str, bytes] = {}
    for name, content in steps:
        if content is None:
            shelf.remove(name)
            expected.pop(name, None)
        else:
            shelf.write(name, content)
            expected[name] = content
    assert shelf.names("*") == sorted(expected)
    assert {name: shelf.read(name) for name in expected} == expected


def test_it_tells_when_a_file_was_written(shelf: Shelf) -> None:
    shelf.write("log", b"")
    written = shelf.modified("log")
    assert written is not None
    assert abs(written - time.time()) < 5


def test_json_keeps_numbers_exactly(shelf: Shelf) -> None:
    value = {"history": [{"loss": 0.1 + 0.2, "epoch": 1}], "reason": None}
    shelf.write_json("result.json", value)
    assert shelf.read_json("result.json") == value


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda some: st.lists(some) | st.dictionaries(st.text(), some),
        max_leaves=10,
    )
)
def test_what_is_written_as_json_is_read_with_a_line_for_each_entry(value: Any) -> None:
    with TemporaryDirectory() as name:
        shelf = Folder(Path(name))
        shelf.write_json("history.json", value)
        assert shelf.read_json("history.json") == value
        if isinstance(value, list | dict) and value:
            written = (shelf.read("history.json") or b"").decode()
            assert written.count("\n") == len(value) + 1


def test_a_write_that_fails_leaves_the_old_content_and_nothing_else(shelf: Shelf) -> None:
    shelf.write("log", b"old")
    with pytest.raises(TypeError):
        shelf.write("log", "no bytes")  # type: ignore[arg-type]
    assert shelf.read("log") == b"old"
    assert shelf.names("*") == ["log"]


def test_a_reader_never_sees_a_part_while_two_write(shelf: Shelf) -> None:
    contents = {letter * 300_000 for letter in (b"a", b"b")}
    shelf.write("log", next(iter(contents)))

    def write(content: bytes) -> None:
        for _ in range(25):
            shelf.write("log", content)

    writers = [Thread(target=write, args=(content,)) for content in contents]
    for writer in writers:
        writer.start()
    seen = set()
    while any(writer.is_alive() for writer in writers):
        seen.add(shelf.read("log"))
    for writer in writers:
        writer.join()
    assert seen <= contents
    assert shelf.names("*") == ["log"]


def test_what_a_killed_writer_left_is_no_file_of_the_shelf(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write("checkpoint-000000001.pt", b"old")
    monkeypatch.setattr(os, "fsync", lambda file: os.kill(os.getpid(), signal.SIGKILL))
    writer = get_context("fork").Process(
        target=folder.write, args=("checkpoint-000000002.pt", b"new")
    )
    writer.start()
    writer.join()
    assert writer.exitcode == -signal.SIGKILL
    assert len(list(folder.path.iterdir())) == 2
    assert folder.names("checkpoint-*.pt") == ["checkpoint-000000001.pt"]
    assert folder.names("*.pt") == ["checkpoint-000000001.pt"]
    TrialFiles(folder).clear()
    assert list(folder.path.iterdir()) == []


def test_names_are_in_order(shelf: Shelf) -> None:
    for step in (20, 3, 100):
        shelf.write(f"checkpoint-{step:09d}.pt", b"")
    steps = [int(name[11:20]) for name in shelf.names("checkpoint-*.pt")]
    assert steps == [3, 20, 100]


def test_shelves_do_not_see_each_others_files(storage: Storage) -> None:
    storage.study("a").write("x", b"a")
    storage.study("a2").write("x", b"a2")
    storage.study("a/report").write("y", b"")
    assert [name for name in storage.study("a").names("*") if name != "report"] == ["x"]


@pytest.mark.slow
def test_more_names_than_s3_lists_at_once_are_all_found(bucket: str) -> None:
    shelf = Storage(bucket).trial("many").shelf
    for i in range(1005):
        shelf.write(f"epoch-{i:05d}.pt", b"")
    assert len(shelf.names("epoch-*.pt")) == 1005


def test_removing_what_is_not_there_is_no_error(shelf: Shelf) -> None:
    shelf.write("log", b"")
    shelf.remove("log")
    shelf.remove("log")
    assert shelf.names("*") == []


def test_clearing_keeps_the_log_alone(shelf: Shelf) -> None:
    for name in ("log.txt", "result.json", "model.pt"):
        shelf.write(name, b"")
    TrialFiles(shelf).clear()
    assert shelf.names("*") == ["log.txt"]


def test_a_log_is_appended_to_and_there_when_it_is_flushed(shelf: Shelf) -> None:
    for text in ("first run\n", "second run\n"):
        with shelf.log("log.txt") as log:
            print(text, end="", file=log, flush=True)
            assert (shelf.read("log.txt") or b"").endswith(text.encode())
            print("last words", file=log)
    assert shelf.read("log.txt") == b"first run\nlast words\nsecond run\nlast words\n"


def test_of_those_who_swap_one_version_one_succeeds(shelf: Shelf) -> None:
    first = shelf.swap("lease.json", b"first", None)
    assert first is not None
    assert shelf.swap("lease.json", b"late", None) is None
    found = shelf.version("lease.json")
    assert found is not None
    assert (found.content, found.tag) == (b"first", first)
    assert -1 <= found.age < 10
    second = shelf.swap("lease.json", b"second", first)
    assert second is not None
    assert shelf.swap("lease.json", b"stale", first) is None
    assert shelf.read("lease.json") == b"second"
    shelf.remove("lease.json")
    assert shelf.swap("lease.json", b"gone", second) is None


def test_tensors_and_plain_values_are_saved_and_loaded(shelf: Shelf) -> None:
    state = {"step": 3, "w": tensor([1.5, 2.5]), "history": [{"loss": 0.1}], "none": None}
    shelf.save("model.pt", state)
    loaded = shelf.load("model.pt")
    assert torch.equal(loaded.pop("w"), state.pop("w"))  # type: ignore[arg-type]
    assert loaded == state


def test_memory_format_is_kept(shelf: Shelf) -> None:
    images = torch.zeros(2, 3, 4, 4).to(memory_format=torch.channels_last)
    shelf.save("model.pt", {"x": images})
    assert shelf.load("model.pt")["x"].stride() == images.stride()


def test_nothing_but_tensors_and_plain_values_is_unpickled(shelf: Shelf, tmp_path: Path) -> None:
    shelf.save("model.pt", {"state": Harmful(tmp_path / "harm")})
    with pytest.raises(pickle.UnpicklingError):
        shelf.load("model.pt")
    assert not (tmp_path / "harm").exists()


def test_a_truncated_file_cannot_be_loaded(shelf: Shelf) -> None:
    shelf.save("model.pt", {"w": torch.zeros(1000)})
    content = shelf.read("model.pt") or b""
    shelf.write("model.pt", content[: len(content) // 2])
    with pytest.raises(RuntimeError):
        shelf.load("model.pt")


def test_a_storage_has_an_id_that_is_its_own(storage: Storage, tmp_path: Path) -> None:
    own = storage.identity()
    assert Storage(str(storage)).identity() == own
    assert Storage(tmp_path / "other").identity() != own


def test_a_storage_lists_the_trials_that_have_a_result(storage: Storage) -> None:
    assert list(storage.results()) == []
    storage.trial("a").shelf.write_json("result.json", {})
    storage.trial("b").shelf.write_json("trial.json", {})
    storage.study("c").write_json("result.json", {})
    assert list(storage.results()) == ["a"]


def test_in_a_folder_a_trial_is_a_folder_that_any_program_reads(tmp_path: Path) -> None:
    Storage(tmp_path).trial("a").shelf.write_json("result.json", {})
    assert json.loads((tmp_path / "trials/a/result.json").read_text()) == {}


def test_where_no_folder_can_be_made_writing_fails_as_the_system_says(tmp_path: Path) -> None:
    (tmp_path / "trials").write_text("a file")
    with pytest.raises(OSError, match="trials"):
        Storage(tmp_path).trial("a").shelf.write("log", b"")


@pytest.mark.parametrize("act", [Shelf.probe, lambda s: s.write("x", b""), lambda s: s.names("*")])
def test_what_s3_refuses_is_an_os_error(bucket: str, act: Callable[[Shelf], Any]) -> None:
    with pytest.raises(OSError, match=r"s3://no-such-bucket/x: .*(NoSuchBucket|404)"):
        act(Storage("s3://no-such-bucket/x").top)


def test_an_endpoint_that_does_not_answer_is_found_within_seconds(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://me:hush@127.0.0.1:9")

    client.cache_clear()
    begun = time.monotonic()
    with pytest.raises(OSError, match="Could not connect") as raised:
        Storage(bucket).top.probe()
    assert time.monotonic() - begun < 10
    assert "hush" not in str(raised.value)


def test_a_probe_leaves_nothing(storage: Storage) -> None:
    storage.top.probe()
    assert storage.top.names("*") == []


def test_a_storage_goes_to_workers_without_its_credentials(storage: Storage) -> None:
    storage.top.write("x", b"content")
    pickled = cloudpickle.dumps(storage)
    assert b"secret-of-the-bucket" not in pickled
    assert b"AKIATESTKEY" not in pickled
    assert pickle.loads(pickled).top.read("x") == b"content"


@pytest.mark.parametrize(
    ("where", "shown"),
    [
        ("s3://bucket/a//b/", "s3://bucket/a/b"),
        ("s3://bucket", "s3://bucket"),
        ("/tmp/a", "/tmp/a"),
        (Path("/tmp/a"), "/tmp/a"),
    ],
)
def test_a_storage_is_shown_as_it_is_written(where: str | Path, shown: str) -> None:
    assert str(Storage(where)) == shown


def test_on_s3_there_is_no_folder_and_else_there_is(tmp_path: Path) -> None:
    assert Storage(tmp_path).root == tmp_path
    assert Storage(tmp_path).uri == f"file://{tmp_path}"
    assert Storage("s3://bucket/x").root is None
    assert Storage("s3://bucket/x").uri == "s3://bucket/x"
    assert isinstance(Storage("s3://bucket/x").trial("a").shelf, Bucket)


@pytest.mark.parametrize("where", ["gs://bucket/x", "s3:/bucket", "s3://", "s3://A:hush@bucket/x"])
def test_what_is_no_storage_is_refused_without_its_password(where: str) -> None:
    with pytest.raises(
        Invalid, match=r"^--storage = .*: must be a folder or s3://bucket"
    ) as raised:
        Storage(where)
    assert "hush" not in str(raised.value)


def test_a_trial_goes_on_from_its_newest_checkpoint_to_the_same_bits(
    storage: Storage, tmp_path: Path
) -> None:
    recipe = Recipe(epochs=3, batch_size=16, schedule="constant")
    formats = {"precision": "float32", "memory_format": "contiguous"}
    net = Use(CifarResNet, depth=8, width=2)
    data = DataSpec(source=Use(Digits), train_per_class=4)
    trial = Trial(data=data, net=net, recipe=recipe).resolved(Path("/nowhere"), formats)
    site = Site(Path("/nowhere"), torch.device("cpu"))

    def killed(epoch: dict[str, float]) -> None:
        if epoch["epoch"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(trial, storage, site, killed)
    assert len(storage.trial(trial.id).shelf.names("checkpoint-*.pt")) == 2
    seen: list[float] = []
    result = fit(trial, storage, site, lambda epoch: seen.append(epoch["epoch"]))
    assert seen == [3]
    assert result.status == "finished"
    assert storage.trial(trial.id).shelf.names("checkpoint-*.pt") == []
    undisturbed = Storage(tmp_path / "undisturbed")
    fit(trial, undisturbed, site)
    models = [s.trial(trial.id).shelf.load("model.pt") for s in (storage, undisturbed)]
    assert all(torch.equal(models[0][name], models[1][name]) for name in models[0])
    assert list(storage.results()) == [trial.id]
