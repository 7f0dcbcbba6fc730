import json
import os
import pickle
import signal
from multiprocessing import get_context
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import torch
from torch import tensor

from trainables.storage import Shelf, Storage


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "shelf")


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


def test_json_keeps_numbers_exactly(shelf: Shelf) -> None:
    value = {"history": [{"loss": 0.1 + 0.2, "epoch": 1}], "reason": None}
    shelf.write_json("result.json", value)
    assert shelf.read_json("result.json") == value


def test_a_write_that_fails_leaves_the_old_content_and_nothing_else(shelf: Shelf) -> None:
    shelf.write("log", b"old")
    with pytest.raises(TypeError):
        shelf.write("log", "no bytes")  # type: ignore[arg-type]
    assert shelf.read("log") == b"old"
    assert [path.name for path in shelf.path.iterdir()] == ["log"]


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
    assert [path.name for path in shelf.path.iterdir()] == ["log"]


def test_what_a_killed_writer_left_is_no_file_of_the_shelf(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.write("checkpoint-000000001.pt", b"old")
    monkeypatch.setattr(os, "fsync", lambda file: os.kill(os.getpid(), signal.SIGKILL))
    writer = get_context("fork").Process(
        target=shelf.write, args=("checkpoint-000000002.pt", b"new")
    )
    writer.start()
    writer.join()
    assert writer.exitcode == -signal.SIGKILL
    assert len(list(shelf.path.iterdir())) == 2
    assert shelf.names("checkpoint-*.pt") == ["checkpoint-000000001.pt"]
    assert shelf.names("*.pt") == ["checkpoint-000000001.pt"]
    shelf.clear()
    assert list(shelf.path.iterdir()) == []


def test_names_are_in_order(shelf: Shelf) -> None:
    for step in (20, 3, 100):
        shelf.write(f"checkpoint-{step:09d}.pt", b"")
    steps = [int(name[11:20]) for name in shelf.names("checkpoint-*.pt")]
    assert steps == [3, 20, 100]


def test_removing_what_is_not_there_is_no_error(shelf: Shelf) -> None:
    shelf.write("log", b"")
    shelf.remove("log")
    shelf.remove("log")
    assert shelf.names("*") == []


def test_clearing_keeps_the_log_alone(shelf: Shelf) -> None:
    for name in ("log.txt", "result.json", "model.pt"):
        shelf.write(name, b"")
    shelf.clear()
    assert shelf.names("*") == ["log.txt"]


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
    content = (shelf.path / "model.pt").read_bytes()
    (shelf.path / "model.pt").write_bytes(content[: len(content) // 2])
    with pytest.raises(RuntimeError):
        shelf.load("model.pt")


def test_a_storage_lists_the_trials_that_have_a_result(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    assert list(storage.results()) == []
    storage.trial("a").write_json("result.json", {})
    storage.trial("b").write_json("trial.json", {})
    storage.study("c").write_json("result.json", {})
    assert list(storage.results()) == ["a"]
    assert json.loads((tmp_path / "trials/a/result.json").read_text()) == {}


def test_where_no_folder_can_be_made_writing_fails_as_the_system_says(tmp_path: Path) -> None:
    (tmp_path / "trials").write_text("a file")
    with pytest.raises(OSError, match="trials"):
        Storage(tmp_path).trial("a").write("log", b"")
