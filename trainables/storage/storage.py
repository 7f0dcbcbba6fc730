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
commands/, claims/              which commands run, and what each of them does: claims.py
storage.json                    the storage's own id, and the version of this layout
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

LAYOUT = 2  # 1: one command at a time held a storage, by lease.json
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
        """A random id, drawn when first asked for; a storage that is moved or copied keeps it.

        From then on the storage is of this layout. Raises Invalid where it is of a newer one.
        """
        while True:
            self.check_layout()
            found = self.top.version("storage.json")
            about = json.loads(found.content) if found else {"id": uuid4().hex}
            if about.get("layout") == LAYOUT:
                return str(about["id"])
            content = json.dumps({**about, "layout": LAYOUT}).encode()
            self.top.swap("storage.json", content, found.tag if found else None)

    def check_layout(self) -> None:
        """Raises Invalid where a newer version has written the storage. Writes nothing."""
        layout = (self.top.read_json("storage.json") or {}).get("layout", 1)
        if layout > LAYOUT:
            why = f"a newer version has written it, in layout {layout}"
            raise Invalid(f"--storage = {self}: must be of layout {LAYOUT} or older ({why})")

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
