"""WordNet 3.0: where its database is, and the synset that each class name stands for.

Functions here raise ValueError with the reason; `trainables.labels.hierarchy` adds the field.
"""

import io
import os
import re
import textwrap
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol, cast

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

# "leopard.n.02" is the second sense of the noun leopard. Each was chosen by its gloss and by the
# superclass in CIFAR-100; a comment stands where another sense would have been as natural.
CIFAR10 = {
    "airplane": "airplane.n.01",
    "automobile": "automobile.n.01",
    "bird": "bird.n.01",
    "cat": "cat.n.01",
    "deer": "deer.n.01",
    "dog": "dog.n.01",
    "frog": "frog.n.01",
    "horse": "horse.n.01",
    "ship": "ship.n.01",
    "truck": "truck.n.01",
}

CIFAR100 = {
    # aquatic mammals
    "beaver": "beaver.n.07",
    "dolphin": "dolphin.n.02",
    "otter": "otter.n.02",
    "seal": "seal.n.09",
    "whale": "whale.n.02",
    # fish
    "aquarium_fish": "goldfish.n.01",  # no noun of WordNet; its gloss: "pond or aquarium fishes"
    "flatfish": "flatfish.n.02",
    "ray": "ray.n.07",
    "shark": "shark.n.01",
    "trout": "trout.n.02",
    # flowers
    "orchid": "orchid.n.01",
    "poppy": "poppy.n.01",
    "rose": "rose.n.01",
    "sunflower": "sunflower.n.01",
    "tulip": "tulip.n.01",
    # food containers
    "bottle": "bottle.n.01",
    "bowl": "bowl.n.01",
    "can": "can.n.01",
    "cup": "cup.n.01",
    "plate": "plate.n.04",
    # fruit and vegetables: what is eaten, not the plant that bears it
    "apple": "apple.n.01",
    "mushroom": "mushroom.n.05",
    "orange": "orange.n.01",
    "pear": "pear.n.01",
    "sweet_pepper": "sweet_pepper.n.02",
    # household electrical devices
    "clock": "clock.n.01",
    "keyboard": "computer_keyboard.n.01",
    "lamp": "lamp.n.02",  # the piece of furniture, not any source of light
    "telephone": "telephone.n.01",
    "television": "television.n.03",  # the set
    # household furniture
    "bed": "bed.n.01",
    "chair": "chair.n.01",
    "couch": "couch.n.01",
    "table": "table.n.02",
    "wardrobe": "wardrobe.n.01",
    # insects
    "bee": "bee.n.01",
    "beetle": "beetle.n.01",
    "butterfly": "butterfly.n.01",
    "caterpillar": "caterpillar.n.01",
    "cockroach": "cockroach.n.01",
    # large carnivores
    "bear": "bear.n.01",
    "leopard": "leopard.n.02",
    "lion": "lion.n.01",
    "tiger": "tiger.n.02",
    "wolf": "wolf.n.01",
    # large man-made outdoor things
    "bridge": "bridge.n.01",
    "castle": "castle.n.02",  # the fortified one; the first sense is a mansion
    "house": "house.n.01",
    "road": "road.n.01",
    "skyscraper": "skyscraper.n.01",
    # large natural outdoor scenes
    "cloud": "cloud.n.02",  # in the sky, not any collection of particles
    "forest": "forest.n.02",  # the land, like plain and mountain, not the trees as a group
    "mountain": "mountain.n.01",
    "plain": "plain.n.01",
    "sea": "sea.n.01",
    # large omnivores and herbivores
    "camel": "camel.n.01",
    "cattle": "cattle.n.01",
    "chimpanzee": "chimpanzee.n.01",
    "elephant": "elephant.n.01",
    "kangaroo": "kangaroo.n.01",
    # medium-sized mammals
    "fox": "fox.n.01",
    "porcupine": "porcupine.n.01",
    "possum": "possum.n.01",  # the American one; the second sense is the Australian phalanger
    "raccoon": "raccoon.n.02",
    "skunk": "skunk.n.04",
    # non-insect invertebrates
    "crab": "crab.n.01",
    "lobster": "lobster.n.02",
    "snail": "snail.n.01",
    "spider": "spider.n.01",
    "worm": "worm.n.01",
    # people
    "baby": "baby.n.01",
    "boy": "boy.n.01",
    "girl": "girl.n.02",  # the child; the first sense is a kind of woman
    "man": "man.n.01",
    "woman": "woman.n.01",
    # reptiles
    "crocodile": "crocodile.n.01",
    "dinosaur": "dinosaur.n.01",
    "lizard": "lizard.n.01",
    "snake": "snake.n.01",
    "turtle": "turtle.n.02",
    # small mammals
    "hamster": "hamster.n.01",
    "mouse": "mouse.n.01",
    "rabbit": "rabbit.n.01",
    "shrew": "shrew.n.02",
    "squirrel": "squirrel.n.01",
    # trees
    "maple_tree": "maple.n.02",
    "oak_tree": "oak_tree.n.01",
    "palm_tree": "palm_tree.n.01",
    "pine_tree": "pine_tree.n.01",
    "willow_tree": "willow_tree.n.01",
    # vehicles 1
    "bicycle": "bicycle.n.01",
    "bus": "bus.n.01",
    "motorcycle": "motorcycle.n.01",
    "pickup_truck": "pickup_truck.n.01",
    "train": "train.n.01",
    # vehicles 2
    "lawn_mower": "lawn_mower.n.01",
    "rocket": "rocket.n.01",
    "streetcar": "streetcar.n.01",
    "tank": "tank.n.01",  # the armoured vehicle
    "tractor": "tractor.n.01",
}


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


def find(folder: Path) -> Path:
    """The file data.noun of WORDNET_DIR; where that is not set, of the first database found.

    Searched are `folder`/wordnet, Debian's package, and the folders of nltk.download. Raises
    ValueError where there is none.
    """
    named = os.environ.get("WORDNET_DIR")
    for place in [Path(named)] if named else [folder / "wordnet", DEBIAN]:
        if (place / "data.noun").is_file():
            return place / "data.noun"
    downloaded = None if named else _downloaded()
    if downloaded is None:
        where = f"in WORDNET_DIR = {named}" if named else f"in {folder / 'wordnet'} or {DEBIAN}"
        raise ValueError(
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
        raise ValueError(
            f"{_question(first, table.get(first, first), candidates[first])}: choose by a line "
            "'class synset' in a file, hierarchy = 'wordnet:FILE'"
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


def _question(name: str, wanted: str, synsets: Sequence[Synset]) -> str:
    if not synsets:
        which = "" if name == wanted else f" ({wanted!r})"
        return f"the class {name!r}{which} is no noun or synset of WordNet"
    glosses = (textwrap.shorten(synset.definition(), 45, placeholder="...") for synset in synsets)
    listed = zip(synsets, glosses, strict=True)
    return f"the class {name!r} could be " + ", ".join(f"{s.name()} ({g})" for s, g in listed)


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
