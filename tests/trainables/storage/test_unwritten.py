from pathlib import Path

from trainables.storage.result import Result
from trainables.storage.storage import Storage
from trainables.storage.unwritten import unwritten


def test_what_is_there_is_read_and_nothing_is_written_or_removed(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    storage.trial("a").save_checkpoint(3, {"step": 3}, keep=1)
    reader = unwritten(storage)
    files = reader.trial("a")
    assert str(reader) == str(storage)
    assert files.checkpoints() == ["checkpoint-000000003.pt"]
    assert files.shelf.load("checkpoint-000000003.pt") == {"step": 3}
    files.save_checkpoint(4, {"step": 4}, keep=1)
    files.end(Result())
    files.remove_checkpoints()
    files.clear()
    with files.log() as log:
        log.write("nothing")
    assert reader.top.swap("claim", b"mine", None) is None
    assert storage.top.names("claim") == []
    assert storage.trial("a").shelf.names("*") == ["checkpoint-000000003.pt"]


def test_a_storage_that_is_made_a_reader_still_writes(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    unwritten(storage)
    storage.trial("a").end(Result())
    assert storage.trial("a").result()
