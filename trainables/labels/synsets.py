"""WordNet 3.0: where its database is, and the synset that each class name stands for.

Functions here raise ValueError with the reason; `trainables.labels.hierarchy` adds the field.
"""

import io
import os
import re
import textwrap
import warnings
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol, cast

from trainables.labels.cifar_synsets import CIFAR10, CIFAR100
from trainables.settings import Missing

VERSION = "3.0"  # the numbers in ImageNet's class names (n01443537) are offsets into this version
DEBIAN = Path("/usr/share/wordnet")  # of the package wordnet-base

# What a photograph can show. Pelts are substances, pet names of people are left to the user.
VISIBLE = frozenset(
    f"noun.{file}" for file in ("animal", "artifact", "food", "object", "person", "plant")
)

# lexnames(5WN): a data line names its lexicographer file by the place in this list. Not every
# distribution has the file.
LEXNAMES = """
adj.all adj.pert adv.all noun.Tops noun.act noun.animal noun.artifact noun.attribute noun.body
noun.cognition noun.communication noun.event noun.feeling noun.food noun.group noun.location
noun.motive noun.object noun.person noun.phenomenon noun.plant noun.possession noun.process
noun.quantity noun.relation noun.shape noun.state noun.substance noun.time verb.body verb.change
verb.cognition verb.communication verb.competition verb.consumption verb.contact verb.creation
verb.emotion verb.motion verb.perception verb.possession verb.social verb.stative verb.weather
adj.ppl
"""


class Synset(Protocol):
    """The part of nltk's synsets that is used here."""

    def name(self) -> str: ...
    def offset(self) -> int: ...
    def lexname(self) -> str: ...
    def definition(self) -> str: ...
    def hypernyms(self) -> list["Synset"]: ...
    def instance_hypernyms(self) -> list["Synset"]: ...


class WordNet(Protocol):
    """The part of nltk's reader that is used here."""

    def synset(self, name: str) -> Synset: ...
    def synsets(self, lemma: str, pos: str) -> list[Synset]: ...
    def synset_from_pos_and_offset(self, pos: str, offset: int) -> Synset | None: ...
    def all_lemma_names(self, pos: str) -> Iterable[str]: ...


def find(folder: Path) -> Path:
    """The file data.noun of WORDNET_DIR; where that is not set, of the first database found.

    Searched are `folder`/wordnet, Debian's package, and the folders of nltk.download. Raises
    Missing where there is none.
    """
    named = os.environ.get("WORDNET_DIR")
    for place in [Path(named)] if named else [folder / "wordnet", DEBIAN]:
        if (place / "data.noun").is_file():
            return place / "data.noun"
    downloaded = None if named else _downloaded()
    if downloaded is None:
        where = f"in WORDNET_DIR = {named}" if named else f"in {folder / 'wordnet'} or {DEBIAN}"
        raise Missing(
            f"there is no WordNet database (data.noun) {where}: apt install wordnet-base, or "
            "python -m nltk.downloader wordnet, or set WORDNET_DIR to the folder of one"
        )
    return downloaded


def _downloaded() -> Path | None:
    import nltk.data  # takes 3 s, so only where nothing else was found

    for root in nltk.data.path:
        corpora = Path(str(root)) / "corpora"
        if (corpora / "wordnet" / "data.noun").is_file():
            return corpora / "wordnet" / "data.noun"
        if (corpora / "wordnet.zip").is_file():
            return Path(_unpacked(corpora / "wordnet.zip").name) / "wordnet" / "data.noun"
    return None


@cache
def _unpacked(archive: Path) -> "TemporaryDirectory[str]":
    """The archive's files, until the process ends."""
    try:
        with zipfile.ZipFile(archive) as file:
            folder = TemporaryDirectory(prefix="wordnet-")
            file.extractall(folder.name)
    except zipfile.BadZipFile as error:
        raise ValueError(f"{archive} cannot be unpacked ({error}): download it again") from error
    return folder


@cache
def read(database: Path) -> WordNet:
    """nltk's reader of the folder `database`, made once a process (it takes over a second).

    Raises ValueError where files are missing or the version is another.
    """
    import nltk.data  # 3 s, which those who use no WordNet need not wait
    from nltk.corpus.reader.wordnet import WordNetCorpusReader

    class Reader(WordNetCorpusReader):  # type: ignore[misc]
        """Reads a database where it lies, also without what only nltk's own download has."""

        def open(self, file: str) -> object:
            if file == "lexnames":
                lines = (f"{place:02} {name} 0" for place, name in enumerate(LEXNAMES.split()))
                return io.StringIO("\n".join(lines))
            return super().open(file)

        def map_wn(self, version: str = "wordnet") -> None:
            """No map to another version: it would need that version's files."""

    if str(database) not in nltk.data.path:
        nltk.data.path.append(str(database))  # nltk reads only from folders in this list
    try:
        with warnings.catch_warnings(action="ignore"):  # of the missing multilingual files
            reader = Reader(str(database), None)
        version = reader.get_version()
    except (OSError, LookupError, ValueError) as error:
        raise ValueError(f"the WordNet database in {database} cannot be read: {error}") from error
    if version != VERSION:
        raise ValueError(f"the WordNet in {database} is {version}: must be {VERSION}")
    return cast(WordNet, reader)


def choose(classes: Sequence[str], wordnet: WordNet, own: Mapping[str, str]) -> list[Synset]:
    """The synset of each class name.

    `own` (class: synset) comes first, then the tables above. Any other name is a WordNet id
    (n01443537), a synset's name (goldfish.n.01), or a noun with one sense, or with one only that
    is an animal, artifact, food, natural object, person or plant. Raises ValueError for a name
    that is none of these, with the synsets that it could be.
    """
    table = {**CIFAR10, **CIFAR100, **own}
    candidates = {name: _candidates(table.get(name, name), wordnet) for name in classes}
    undecided = [name for name, synsets in candidates.items() if len(synsets) != 1]
    if undecided:
        first, *others = undecided
        question = _question(first, table.get(first, first), candidates[first], wordnet)
        raise ValueError(
            f"{question}: choose by a line 'class synset' in a file, hierarchy = 'wordnet:FILE'"
            + (f" (so also for {', '.join(map(repr, others))})" if others else "")
        )
    return [candidates[name][0] for name in classes]


def _candidates(name: str, wordnet: WordNet) -> list[Synset]:
    from nltk.corpus.reader.wordnet import WordNetError

    if re.fullmatch(r"n\d{8}", name):
        with warnings.catch_warnings(action="ignore"):  # of an offset where no synset begins
            synset = wordnet.synset_from_pos_and_offset("n", int(name[1:]))
        return [] if synset is None else [synset]
    if re.fullmatch(r".+\.n\.(0[1-9]|[1-9]\d)", name):
        try:
            return [wordnet.synset(name)]
        except WordNetError:
            return []
    senses = wordnet.synsets(name.replace(" ", "_"), "n")
    return [sense for sense in senses if sense.lexname() in VISIBLE] or senses


def _question(name: str, wanted: str, synsets: Sequence[Synset], wordnet: WordNet) -> str:
    if not synsets:
        which = "" if name == wanted else f" ({wanted!r})"
        near = _near(wanted, wordnet)
        nearest = f" (nearest: {', '.join(near)})" if near else ""
        return f"the class {name!r}{which} is no noun or synset of WordNet{nearest}"
    glosses = (textwrap.shorten(synset.definition(), 45, placeholder="...") for synset in synsets)
    listed = zip(synsets, glosses, strict=True)
    return f"the class {name!r} could be " + ", ".join(f"{s.name()} ({g})" for s, g in listed)


def _near(name: str, wordnet: WordNet) -> list[str]:
    """The most similar nouns with the first letter of the name."""
    wanted = name.replace(" ", "_").lower()
    alike = [noun for noun in wordnet.all_lemma_names("n") if noun[:1] == wanted[:1]]
    return get_close_matches(wanted, alike, n=3, cutoff=0.7)


def ids(synsets: Sequence[Synset]) -> list[str]:
    """WordNet ids such as n01443537."""
    return [f"n{synset.offset():08}" for synset in synsets]


def hypernyms(synsets: Sequence[Synset]) -> dict[str, list[str]]:
    """The parents of each synset and of all above them, by id: hypernyms, of instances too."""
    parents: dict[str, list[str]] = {}
    rest = list(synsets)
    while rest:
        synset = rest.pop()
        [own] = ids([synset])
        if own not in parents:
            above = synset.hypernyms() + synset.instance_hypernyms()
            parents[own] = ids(above)
            rest += above
    return parents
