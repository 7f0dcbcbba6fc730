import shutil
import zipfile
from pathlib import Path

import nltk.data
import pytest

from trainables.labels import synsets
from trainables.labels.cifar_synsets import CIFAR10, CIFAR100
from trainables.labels.synsets import choose, find, hypernyms, ids, read

# What the superclasses of CIFAR-100 stand under in WordNet, ten classes of each pair in this order.
KINDS = (
    *["animal"] * 10,  # aquatic mammals, fish
    *["plant"] * 5,  # flowers
    *["artifact"] * 5,  # food containers
    *["food"] * 5,  # fruit and vegetables
    *["artifact"] * 10,  # household devices, furniture
    *["animal"] * 10,  # insects, large carnivores
    *["artifact"] * 5,  # large man-made outdoor things
    *["object"] * 5,  # large natural outdoor scenes
    *["animal"] * 15,  # large omnivores, medium-sized mammals, invertebrates
    *["person"] * 5,
    *["animal"] * 10,  # reptiles, small mammals
    *["plant"] * 5,  # trees
    *["artifact"] * 10,  # vehicles
)


@pytest.fixture(scope="session")
def database() -> Path:
    try:
        return find(Path("nowhere")).parent
    except ValueError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def wordnet(database: Path) -> synsets.WordNet:
    return read(database)


def chosen(wordnet: synsets.WordNet, *classes: str, **own: str) -> list[str]:
    return [synset.name() for synset in choose(classes, wordnet, own)]


def refusal(wordnet: synsets.WordNet, *classes: str, **own: str) -> str:
    with pytest.raises(ValueError, match="the class") as caught:
        choose(classes, wordnet, own)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Which synset


def test_the_tables_name_every_class_of_cifar_once() -> None:
    assert (len(CIFAR10), len(CIFAR100)) == (10, 100)
    assert len({**CIFAR10, **CIFAR100}.values()) == len(set({**CIFAR10, **CIFAR100}.values()))


def test_each_class_of_cifar_100_is_what_its_superclass_says(wordnet: synsets.WordNet) -> None:
    found = [synset.lexname() for synset in choose(list(CIFAR100), wordnet, {})]
    assert found == [f"noun.{kind}" for kind in KINDS]


def test_the_classes_of_cifar_10_are_animals_and_vehicles(wordnet: synsets.WordNet) -> None:
    found = {
        name: s.lexname() for name, s in zip(CIFAR10, choose([*CIFAR10], wordnet, {}), strict=True)
    }
    vehicles = {"airplane", "automobile", "ship", "truck"}
    assert {name for name, kind in found.items() if kind == "noun.artifact"} == vehicles
    assert {kind for name, kind in found.items() if name not in vehicles} == {"noun.animal"}


@pytest.mark.parametrize(
    ("name", "gloss"),
    [
        ("girl", "a youthful female person"),
        ("ray", "cartilaginous fishes having horizontally flattened bodies"),
        ("seal", "any of numerous marine mammals that come on shore to breed"),
        ("leopard", "large feline of African and Asian forests"),
        ("table", "a piece of furniture having a smooth flat top"),
        ("plate", "dish on which food is served"),
        ("castle", "a large building formerly occupied by a ruler and fortified"),
        ("keyboard", "a keyboard that is a data input device for computers"),
        ("television", "an electronic device that receives television signals"),
        ("tank", "an enclosed armored military vehicle"),
        ("maple_tree", "any of numerous trees or shrubs of the genus Acer"),
    ],
)
def test_an_ambiguous_class_of_cifar_100_has_the_gloss_of_its_images(
    wordnet: synsets.WordNet, name: str, gloss: str
) -> None:
    [synset] = choose([name], wordnet, {})
    assert synset.definition().startswith(gloss)


def test_a_wordnet_id_is_an_offset(wordnet: synsets.WordNet) -> None:
    [synset] = choose(["n01443537"], wordnet, {})
    assert synset.name() == "goldfish.n.01"
    assert ids([synset]) == ["n01443537"]


def test_a_synset_s_name_is_that_synset(wordnet: synsets.WordNet) -> None:
    assert chosen(wordnet, "jaguar.n.01", "car.n.02") == ["jaguar.n.01", "car.n.02"]


def test_a_noun_with_one_sense_is_that_sense(wordnet: synsets.WordNet) -> None:
    assert chosen(wordnet, "giraffe", "polar bear") == ["giraffe.n.01", "ice_bear.n.01"]


def test_of_several_senses_the_only_one_that_can_be_seen_is_taken(wordnet: synsets.WordNet) -> None:
    """The first sense of ermine is its fur, a substance."""
    assert chosen(wordnet, "ermine") == ["ermine.n.02"]


def test_a_user_s_choice_comes_before_the_tables(wordnet: synsets.WordNet) -> None:
    assert chosen(wordnet, "mouse", "goose", mouse="mouse.n.04", goose="n01855672") == [
        "mouse.n.04",
        "goose.n.01",
    ]


def test_an_ambiguous_name_is_refused_with_its_candidates_and_their_glosses(
    wordnet: synsets.WordNet,
) -> None:
    assert refusal(wordnet, "jackdaw", "goose", "crane") == (
        "the class 'goose' could be goose.n.01 (web-footed long-necked typically...), "
        "fathead.n.01 (a man who is a stupid incompetent fool), "
        "goose.n.03 (flesh of a goose (domestic or wild)): "
        "choose by a line 'class synset' in a file, hierarchy = 'wordnet:FILE' "
        "(so also for 'crane')"
    )


@pytest.mark.parametrize("name", ["blorb", "n01443538", "n99999999", "goose.n.09", "zzz.n.01", ""])
def test_a_name_that_wordnet_lacks_is_refused(wordnet: synsets.WordNet, name: str) -> None:
    found = refusal(wordnet, name)
    assert found.startswith(f"the class {name!r} is no noun or synset of WordNet")
    assert ": choose by a line" in found
    assert ("WordNet (nearest: " in found) == (name == "blorb")


def test_the_nearest_nouns_of_a_name_that_wordnet_lacks_are_told(wordnet: synsets.WordNet) -> None:
    assert " (nearest: albatross, albatrellus, albers): choose" in refusal(wordnet, "albatros")
    assert "(nearest: black-footed_albatross): choose" in refusal(wordnet, "Black_footed Albatross")


def test_a_user_s_choice_that_wordnet_lacks_is_refused(wordnet: synsets.WordNet) -> None:
    found = refusal(wordnet, "goose", goose="gose.n.01")
    assert found.startswith("the class 'goose' ('gose.n.01') is no noun or synset of WordNet")


def test_the_hypernyms_lead_to_the_one_root(wordnet: synsets.WordNet) -> None:
    parents = hypernyms(choose(["goldfish", "danube.n.01"], wordnet, {}))
    roots = [node for node, above in parents.items() if not above]
    assert roots == ids(choose(["entity.n.01"], wordnet, {}))
    assert all(parent in parents for above in parents.values() for parent in above)


# Where WordNet is


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on a machine without WordNet."""
    monkeypatch.delenv("WORDNET_DIR", raising=False)
    monkeypatch.setattr(synsets, "DEBIAN", tmp_path / "debian")
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path / "nltk_data")])
    return tmp_path


def placed(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "data.noun").touch()
    return folder / "data.noun"


def test_the_environment_comes_first_then_the_folder_then_debian_then_nltk(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nltk_data = placed(bare / "nltk_data" / "corpora" / "wordnet")
    assert find(bare) == nltk_data
    debian = placed(bare / "debian")
    assert find(bare) == debian
    folder = placed(bare / "wordnet")
    assert find(bare) == folder
    named = placed(bare / "mine")
    monkeypatch.setenv("WORDNET_DIR", str(bare / "mine"))
    assert find(bare) == named


def test_a_machine_without_wordnet_is_told_where_to_get_it(bare: Path) -> None:
    with pytest.raises(ValueError, match="there is no WordNet database") as caught:
        find(bare)
    assert str(caught.value) == (
        f"there is no WordNet database (data.noun) in {bare / 'wordnet'} or {bare / 'debian'}: "
        "apt install wordnet-base, or python -m nltk.downloader wordnet, "
        "or set WORDNET_DIR to the folder of one"
    )


def test_an_environment_that_names_no_database_is_refused(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed(bare / "wordnet")
    monkeypatch.setenv("WORDNET_DIR", str(bare / "gone"))
    with pytest.raises(ValueError, match=r"in WORDNET_DIR = .*gone: apt install"):
        find(bare)


def test_an_archive_as_nltk_downloads_it_is_read(bare: Path, database: Path) -> None:
    archive = bare / "nltk_data" / "corpora" / "wordnet.zip"
    archive.parent.mkdir(parents=True)
    with zipfile.ZipFile(archive, "w") as file:
        for path in (p for p in database.iterdir() if p.is_file()):
            file.write(path, f"wordnet/{path.name}")
    found = find(bare)
    assert found.read_bytes() == (database / "data.noun").read_bytes()
    assert find(bare) == found
    assert chosen(read(found.parent), "giraffe") == ["giraffe.n.01"]


def test_a_broken_archive_is_refused(bare: Path) -> None:
    archive = bare / "nltk_data" / "corpora" / "wordnet.zip"
    archive.parent.mkdir(parents=True)
    archive.write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"wordnet.zip cannot be unpacked .*download it again"):
        find(bare)


def test_a_database_is_read_once_a_process(database: Path) -> None:
    assert read(database) is read(database)


def test_a_database_without_its_index_is_refused(bare: Path) -> None:
    folder = placed(bare / "wordnet").parent
    with pytest.raises(ValueError, match="cannot be read: ") as caught:
        read(folder)
    assert str(caught.value).startswith(f"the WordNet database in {folder} ")


def test_another_version_of_wordnet_is_refused(bare: Path, database: Path) -> None:
    folder = bare / "wordnet"
    shutil.copytree(database, folder)
    adjectives = (folder / "data.adj").read_bytes()
    (folder / "data.adj").write_bytes(adjectives.replace(b"WordNet 3.0", b"WordNet 3.1"))
    with pytest.raises(ValueError, match=r"wordnet is 3\.1: must be 3\.0"):
        read(folder)
