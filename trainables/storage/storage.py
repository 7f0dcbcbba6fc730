"""Storage: where trials live, in a folder or on S3. Everything is written whole or not at all.

trials/<id>/trial.json          the settings
            site.json           where and when it was started last
            checkpoint-000012.pt    after so many steps; the last two are kept
            history.json        metrics of every finished epoch, with timestamps
            result.json         the end: status, history, where it ran
            model.pt, outputs.pt    final weights; final scores and labels
            soft_labels.csv     the targets' matrix in the end; -00010 after that epoch
            wrong_labels.csv    images whose labels were made wrong: row in the data set, both
            class_counts.csv    training images of each class, where classes are unequal
            epoch-00010.pt      weights of an epoch that the recipe keeps
            measure-<label>.json    a measure; its features-<label>.csv, if it keeps some
            log.txt
storage.json                    the storage's own id
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from trainables.settings import Invalid, masked
from trainables.storage import names
from trainables.storage.bucket import Bucket
from trainables.storage.folder import Folder
from trainables.storage.shelf import Shelf
from trainables.storage.trial_files import TrialFiles

BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


class Storage:
    """Trials and studies, under a path or an s3:// URL. Raises Invalid where it is neither.

    On S3 it finds endpoint and credentials as every AWS client does (AWS_ENDPOINT_URL,
    AWS_ACCESS_KEY_ID, ..., an instance's role), on each machine anew: none is pickled with it.
    """

    def __init__(self, where: Path | str) -> None:
        self.top = _shelf_at(where)

    def __str__(self) -> str:
        return str(self.top)

    @property
    def root(self) -> Path | None:
        """The folder; None on S3."""
        return self.top.path

    @property
    def uri(self) -> str:
        """file:///... or s3://..."""
        return self.root.as_uri() if self.root else str(self)

    def identity(self) -> str:
        """A random id, drawn when first asked for; a storage that is moved or copied keeps it."""
        while (found := self.top.read_json("storage.json")) is None:
            self.top.swap("storage.json", json.dumps({"id": uuid4().hex}).encode(), None)
        return str(found["id"])

    def trial(self, trial_id: str) -> TrialFiles:
        return TrialFiles(self.top / "trials" / trial_id)

    def study(self, name: str) -> Shelf:
        return self.top / "studies" / name

    def results(self) -> Iterator[str]:
        """The ids of the trials with a result."""
        return (name.split("/")[1] for name in self.top.names(f"trials/*/{names.RESULT}"))


def _shelf_at(where: Path | str) -> Shelf:
    text = str(where)
    if isinstance(where, Path) or not re.match(r"s3:|\w+://", text):
        return Folder(Path(where).absolute())
    bucket, _, prefix = text.removeprefix("s3://").partition("/")
    if not text.startswith("s3://") or not BUCKET.fullmatch(bucket):
        valid = "a folder or s3://bucket/prefix, with credentials in the environment only"
        raise Invalid(f"--storage = {masked(text)}: must be {valid}")
    return Bucket(bucket, "/".join(part for part in prefix.split("/") if part))
