"""Settings that are checked when they are written; this file is the face of the folder.

A setting's type and range stand in its annotation, `Annotated[float, Interval("[0, 1]")]`, and
nowhere else. `Record` (a frozen dataclass) and `Use` (a class and its keywords) check against it.
"""

from trainables.settings.adopted import CHECKSUM, adopt, adopted, source_of
from trainables.settings.checksums import Files, Read, Rows, checksum, require_file
from trainables.settings.explorer import Explorer, branches
from trainables.settings.identity import Scalar, flat, identity, map_settings
from trainables.settings.invalid import (
    Invalid,
    Missing,
    masked,
    printable,
    readable,
    unknown,
)
from trainables.settings.ranges import (
    Before,
    Count,
    Fraction,
    Interval,
    Of,
    Positive,
    Share,
    Weight,
    checked,
)
from trainables.settings.remembered import cache_folder
from trainables.settings.settings import (
    Record,
    Setting,
    Suggest,
    Use,
    classes_of,
    keywords_of,
)
from trainables.settings.text import assigned

__all__ = [
    "CHECKSUM",
    "Before",
    "Count",
    "Explorer",
    "Files",
    "Fraction",
    "Interval",
    "Invalid",
    "Missing",
    "Of",
    "Positive",
    "Read",
    "Record",
    "Rows",
    "Scalar",
    "Setting",
    "Share",
    "Suggest",
    "Use",
    "Weight",
    "adopt",
    "adopted",
    "assigned",
    "branches",
    "cache_folder",
    "checked",
    "checksum",
    "classes_of",
    "flat",
    "identity",
    "keywords_of",
    "map_settings",
    "masked",
    "printable",
    "readable",
    "require_file",
    "source_of",
    "unknown",
]
