"""Listing: the images of a folder that has a folder for each class, in torchvision's order."""

import os
import stat
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trainables.settings import Invalid, printable, readable

# What systems and programs leave in folders, besides names that begin with a dot; in lower case.
RUBBISH = frozenset(
    (
        *("__macosx", "icon\r"),  # macOS
        *("thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "system volume information"),
        *("@eadir", "#recycle", "@recycle"),  # network disks
        "lost+found",
    )
)

# Of the files that are images, as torchvision has them.
IMG_EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")

YOUNG = 2 * 10**9  # ns: a change soon after another one may leave a folder's time as it is

Identity = tuple[int, int]  # device and inode of a folder
State = tuple[int, int, int]  # the same, and the time in ns at which it last changed


@dataclass(frozen=True)
class Listing:
    """What `part` holds. Classes are named as the file system has them, images by place in `part`.

    Label i belongs to class i. What is hidden is neither a class nor an image.
    """

    part: Path
    classes: tuple[str, ...]
    images: tuple[str, ...]
    labels: tuple[int, ...]
    hidden_files: int
    hidden_folders: int

    @property
    def remark(self) -> str | None:
        """What was ignored, in a line; None where that is nothing."""
        counts = {"file": self.hidden_files, "folder": self.hidden_folders}
        words = [f"{n} hidden {what}{'s' * (n > 1)}" for what, n in counts.items() if n]
        return printable(f"{self.part}: {' and '.join(words)} ignored") if words else None


def listing(part: Path) -> Listing:
    """The images of the classes of `part`, listed once as long as no folder in it changes.

    Order, extensions, and links to folders that are followed are those of torchvision's
    `ImageFolder`. Raises Invalid, naming it, for what cannot be read, for a link to nothing, and
    for a link to a folder that it lies in.
    """
    walk = _walks.get(part)
    if walk is None or not walk.holds():
        walk = _walks[part] = _Walk(part)
    return walk.listing


_walks: dict[Path, "_Walk"] = {}


def hidden(name: str) -> bool:
    """Whether a file or folder of this name is left out."""
    return name.startswith(".") or name.lower() in RUBBISH


class _Walk:
    """One look at every folder of a part, and what tells whether the look is still right."""

    def __init__(self, part: Path) -> None:
        self._begun = time.time_ns()
        self._states: dict[str, State] = {}
        self._hidden: Counter[bool] = Counter()  # by whether it is a folder
        real = Path(os.path.realpath(part))
        above = frozenset(_state(up)[:2] for up in (*part.absolute().parents, *real.parents))
        classes, _ = self._entries(part, above)
        above |= {self._states[str(part)][:2]}
        images: list[str] = []
        labels: list[int] = []
        for label, name in enumerate(sorted(classes)):
            for folder, files in sorted(self._files(part, name, above)):
                images += (os.path.join(folder, file) for file in sorted(files))
            labels += [label] * (len(images) - len(labels))
        self.listing = Listing(
            part,
            tuple(sorted(classes)),
            tuple(images),
            tuple(labels),
            self._hidden[False],
            self._hidden[True],
        )

    def holds(self) -> bool:
        """Whether no folder has changed since."""
        if any(self._begun - changed < YOUNG for _, _, changed in self._states.values()):
            return False
        try:
            return all(_state(folder) == state for folder, state in self._states.items())
        except Invalid:
            return False

    def _files(
        self, part: Path, name: str, above: frozenset[Identity]
    ) -> Iterator[tuple[str, list[str]]]:
        """(folder, images in it) of the folder `name` of `part` and of each one below it."""
        place = os.path.join(part, name)
        folders, files = self._entries(place, above)
        yield name, files
        for folder in folders:
            inside = above | {self._states[place][:2]}
            yield from self._files(part, os.path.join(name, folder), inside)

    def _entries(
        self, place: str | Path, above: frozenset[Identity]
    ) -> tuple[list[str], list[str]]:
        """The names of the folders and of the images in `place`."""
        self._states[str(place)] = state = _state(place)
        if state[:2] in above:
            around = os.path.realpath(place)
            raise Invalid(f"{place} leads to {around}, a folder that it lies in: must not be there")
        folders, images = [], []
        with readable(place), os.scandir(place) as entries:
            for entry in entries:
                if hidden(entry.name):
                    self._hidden[_is_folder(entry)] += 1
                elif _is_folder(entry):
                    folders.append(entry.name)
                elif entry.name.lower().endswith(IMG_EXTENSIONS):
                    _check_file(entry)
                    images.append(entry.name)
                elif entry.is_symlink():
                    _check_file(entry)
        return folders, images


def _state(folder: str | Path) -> State:
    with readable(folder):
        status = os.stat(folder)
    return status.st_dev, status.st_ino, status.st_ctime_ns


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle, or through a folder that cannot be searched
        return False


def _check_file(entry: os.DirEntry[str]) -> None:
    """Raises Invalid for a link that leads nowhere, and for a pipe or a device."""
    if entry.is_file(follow_symlinks=False):
        return
    with readable(entry.path):
        try:
            mode = entry.stat().st_mode
        except FileNotFoundError:
            gone = f"{os.readlink(entry.path)}, which is missing"
            valid = "a link to something, or removed"
            raise Invalid(f"{entry.path} is a link to {gone}: must be {valid}") from None
    if not stat.S_ISREG(mode):
        raise Invalid(f"{entry.path} is neither a file nor a folder: must be removed")
