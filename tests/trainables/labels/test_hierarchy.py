import os
import re
from collections import deque
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, equal, int64, tensor

from trainables.labels import cifar_synsets
from trainables.labels.hierarchy import ancestors, edges, locate, shortest
from trainables.settings import Invalid

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

#        animal
#        /    \
#     whale   bird
#       |     /   \
#   dolphin gull  duck
ANIMALS = {
    "animal": [],
    "whale": ["animal"],
    "bird": ["animal"],
    "dolphin": ["whale"],
    "gull": ["bird"],
    "duck": ["bird"],
}
LINES = "animal whale\nanimal bird\nwhale dolphin\nbird gull\nbird duck\n"


@pytest.fixture(scope="session")
def cub() -> Path:
    if "STUDY_TEST_DATA" not in os.environ:
        pytest.skip("set STUDY_TEST_DATA to a folder with cub-hierarchy/ of semantic-embeddings")
    return Path(os.environ["STUDY_TEST_DATA"]) / "cub-hierarchy"


def same(found: Tensor, expected: list[list[int]]) -> bool:
    return found.dtype == int64 and equal(found, tensor(expected))


def reason(hierarchy: str, classes: list[str], folder: Path) -> str:
    """What edges says is wrong: one line, which names the field and its value."""
    with pytest.raises(Invalid) as caught:
        edges(hierarchy, classes, folder)
    start = f"hierarchy = {hierarchy!r}: "
    text = str(caught.value)
    assert text.startswith(start)
    assert "\n" not in text
    return text.removeprefix(start)


# The distance


def test_siblings_are_two_edges_apart_and_cousins_four() -> None:
    assert same(shortest(["gull", "duck", "dolphin"], ANIMALS), [[0, 2, 4], [2, 0, 4], [4, 4, 0]])


def test_a_class_above_another_gets_a_leaf_of_its_own_one_edge_below() -> None:
    """whale's leaf - whale - dolphin; and gull - bird - animal - whale - its leaf."""
    found = shortest(["dolphin", "whale", "gull"], ANIMALS)
    assert same(found, [[0, 2, 4], [2, 0, 4], [4, 4, 0]])


def test_classes_in_one_line_of_descent_each_get_a_leaf() -> None:
    found = shortest(["animal", "whale", "dolphin"], ANIMALS)
    assert same(found, [[0, 3, 3], [3, 0, 2], [3, 2, 0]])


def test_a_node_with_only_nodes_below_that_are_no_classes_stays_a_leaf() -> None:
    assert same(shortest(["whale", "bird"], ANIMALS), [[0, 2], [2, 0]])


def test_of_several_common_ancestors_the_one_with_the_shortest_path_counts() -> None:
    """Over pet 1 + 1 edges, over animal 3 + 2."""
    parents = {
        "thing": [],
        "animal": ["thing"],
        "pet": ["thing"],
        "canine": ["animal"],
        "wolfish": ["canine"],
        "dog": ["wolfish", "pet"],
        "fish": ["animal"],
        "goldfish": ["fish", "pet"],
        "shark": ["fish"],
    }
    found = shortest(["dog", "goldfish", "shark"], parents)
    assert same(found, [[0, 2, 5], [2, 0, 2], [5, 2, 0]])


def test_a_path_never_goes_down_and_up_again() -> None:
    """a - x - b - y - c would be 4 edges, but has no common ancestor in the middle."""
    parents = {
        "root": [],
        "far": ["root"],
        "x": ["root"],
        "y": ["far"],
        "a": ["x"],
        "b": ["x", "y"],
        "c": ["y"],
    }
    assert shortest(["a", "b", "c"], parents)[0].tolist() == [0, 2, 5]


def test_the_depth_of_an_ancestor_is_its_shortest_path_up() -> None:
    parents = {"root": [], "b": ["root"], "a": ["b"], "leaf": ["a", "root"]}
    assert ancestors("leaf", parents) == {"leaf": 0, "a": 1, "root": 1, "b": 2}


@st.composite
def graphs(draw: st.DrawFn, most_parents: int) -> tuple[list[str], dict[str, list[str]]]:
    """Some nodes, and the parents of all in a DAG with the root 0."""
    parents: dict[str, list[str]] = {"0": []}
    for node in range(1, draw(st.integers(1, 12))):
        above = st.integers(0, node - 1).map(str)
        parents[str(node)] = draw(st.lists(above, min_size=1, max_size=most_parents, unique=True))
    nodes = draw(st.lists(st.sampled_from(sorted(parents)), min_size=1, unique=True))
    return nodes, parents


@settings(deadline=None)  # the machine may be busy
@given(graphs(most_parents=3))
def test_distances_are_symmetric_zero_on_the_diagonal_and_at_least_two_elsewhere(
    graph: tuple[list[str], dict[str, list[str]]],
) -> None:
    found = shortest(*graph)
    assert equal(found, found.T)
    assert not found.diagonal().any()
    assert found.fill_diagonal_(2).ge(2).all()


@settings(deadline=None)  # the machine may be busy
@given(graphs(most_parents=1))
def test_in_a_tree_no_detour_over_a_third_class_is_shorter(
    graph: tuple[list[str], dict[str, list[str]]],
) -> None:
    found = shortest(*graph)
    detours = found[:, :, None] + found[None]
    assert detours.ge(found[:, None]).all()


@settings(deadline=None)  # the machine may be busy
@given(graphs(most_parents=3))
def test_the_distances_are_those_of_a_search_that_goes_up_and_then_down(
    graph: tuple[list[str], dict[str, list[str]]],
) -> None:
    assert shortest(*graph).tolist() == by_search(*graph)


def by_search(nodes: list[str], parents: dict[str, list[str]]) -> list[list[int]]:
    """The distances again: breadth first over (node, whether it has turned down), real leaves."""
    graph = {node: list(above) for node, above in parents.items()}
    leaves = []
    for node in nodes:
        others = [other for other in nodes if other != node and reaches(other, node, parents)]
        leaves.append(f"leaf of {node}" if others else node)
        if others:
            graph[leaves[-1]] = [node]
    children: dict[str, list[str]] = {node: [] for node in graph}
    for node, above in graph.items():
        for parent in above:
            children[parent].append(node)
    rows = []
    for leaf in leaves:
        steps = {(leaf, False): 0}
        queue = deque(steps)
        while queue:
            node, down = state = queue.popleft()
            turns = [(child, True) for child in children[node]]
            climbs = [] if down else [(parent, False) for parent in graph[node]]
            for following in turns + climbs:
                if following not in steps:
                    steps[following] = steps[state] + 1
                    queue.append(following)
        ways = [
            [steps[end, down] for down in (False, True) if (end, down) in steps] for end in leaves
        ]
        rows.append([min(way) for way in ways])
    return rows


def reaches(node: str, ancestor: str, parents: dict[str, list[str]]) -> bool:
    return node == ancestor or any(reaches(up, ancestor, parents) for up in parents[node])


# The strokes


def test_digits_drawn_alike_are_near() -> None:
    found = edges("strokes", DIGITS, Path("nowhere"))
    assert found[0].tolist() == [0, 6, 7, 6, 7, 7, 4, 7, 2, 4]  # zero: eight, then six and nine
    assert found[1].tolist() == [6, 0, 5, 4, 3, 5, 6, 3, 6, 6]  # one: four and seven
    assert found[2].argsort()[:3].tolist() == [2, 5, 3]  # two: five, then three


def test_the_order_of_the_classes_is_the_order_of_rows() -> None:
    found = edges("strokes", ["nine", "one", "six"], Path("nowhere"))
    assert same(found, [[0, 6, 2], [6, 0, 6], [2, 6, 0]])


def test_the_strokes_are_in_no_file() -> None:
    assert locate("strokes", Path("nowhere")) is None


# Taxonomy files


def test_a_file_of_lines_names_a_parent_and_a_child_on_each(tmp_path: Path) -> None:
    (tmp_path / "animals.txt").write_text("\n" + LINES)
    found = edges("animals.txt", ["gull", "duck", "dolphin"], tmp_path)
    assert same(found, [[0, 2, 4], [2, 0, 4], [4, 4, 0]])


def test_a_tab_separates_names_with_spaces(tmp_path: Path) -> None:
    (tmp_path / "animals.tsv").write_text("sea bird\tblack gull\nsea bird\tlittle auk\n")
    assert same(edges("animals.tsv", ["black gull", "little auk"], tmp_path), [[0, 2], [2, 0]])


def test_a_class_in_a_file_of_lines_may_have_two_parents(tmp_path: Path) -> None:
    (tmp_path / "animals.txt").write_text(LINES + "whale duck\n")
    assert same(edges("animals.txt", ["duck", "dolphin"], tmp_path), [[0, 2], [2, 0]])


def test_json_nests_objects_and_lists_of_names(tmp_path: Path) -> None:
    text = '{"animal": {"whale": {"dolphin": null}, "bird": ["gull", {"duck": ["eider"]}]}}'
    (tmp_path / "animals.json").write_text(text)
    found = edges("animals.json", ["dolphin", "gull", "eider"], tmp_path)
    assert same(found, [[0, 4, 5], [4, 0, 3], [5, 3, 0]])


def test_a_numbered_class_is_the_node_of_its_number(tmp_path: Path) -> None:
    (tmp_path / "birds.txt").write_text("300 1\n300 20\n301 300\n301 100\n")
    classes = ["001.Black_footed_Albatross", "020.Yellow_breasted_Chat", "100.Brown_Pelican"]
    assert same(edges("birds.txt", classes, tmp_path), [[0, 2, 3], [2, 0, 3], [3, 3, 0]])


def test_the_node_of_a_class_s_whole_name_comes_before_that_of_its_number(tmp_path: Path) -> None:
    (tmp_path / "birds.txt").write_text("bird 1\nbird gulls\ngulls 1.gull\ngulls tern\n")
    assert same(edges("birds.txt", ["1.gull", "tern"], tmp_path), [[0, 2], [2, 0]])


def test_a_relative_path_is_under_the_folder_and_an_absolute_one_is_not(tmp_path: Path) -> None:
    file = tmp_path / "animals.txt"
    file.write_text(LINES)
    assert locate("animals.txt", tmp_path) == file
    assert locate(str(file), Path("nowhere")) == file


@pytest.mark.data
@pytest.mark.parametrize(
    ("file", "albatross_to_warbler"),  # up to Aves and down, counted in the file
    [("cub_balanced.parent-child.txt", 7 + 7), ("cub_wikispecies.parent-child.txt", 4 + 6)],
)
def test_the_folders_of_cub_are_the_numbers_in_its_hierarchies(
    cub: Path, file: str, albatross_to_warbler: int
) -> None:
    names = [f"{number:03}.Bird_{number}" for number in range(1, 201)]
    found = edges(file, names, cub)
    assert found.shape == (200, 200)
    assert found[28, 29] == 2  # American and fish crow: one genus
    assert found[0, 199] == albatross_to_warbler
    assert found.tolist() == by_search(
        [str(number) for number in range(1, 201)], parents_in((cub / file).read_text())
    )


def parents_in(text: str) -> dict[str, list[str]]:
    parents: dict[str, list[str]] = {}
    for parent, child in (line.split() for line in text.splitlines()):
        parents.setdefault(parent, [])
        parents.setdefault(child, []).append(parent)
    return parents


# WordNet


@pytest.mark.slow
def test_cifar_100_in_wordnet_agrees_with_a_search_in_the_data_file(database: Path) -> None:
    parents = hypernyms_in(database)
    nodes = [offset_of(synset, database) for synset in cifar_synsets.CIFAR100.values()]
    spanned = {up for node in nodes for up in ancestors(node, parents)}
    expected = by_search(nodes, {node: parents[node] for node in spanned})
    assert edges("wordnet", list(cifar_synsets.CIFAR100), Path("nowhere")).tolist() == expected


def hypernyms_in(database: Path) -> dict[str, list[str]]:
    """The parents of each noun: pointers @ and @i of its line, which wndb(5WN) describes."""
    parents = {}
    for line in database.read_text(encoding="latin-1").splitlines():
        if not line.startswith("  "):
            pointers = re.findall(r" @i? (\d{8}) n 0000", line.split(" | ")[0])
            parents[line[:8]] = pointers
    return parents


def offset_of(synset: str, database: Path) -> str:
    """Of dog.n.02 the second of the offsets that end the line of dog in the index."""
    lemma, _, number = synset.split(".")
    index = (database.parent / "index.noun").read_text(encoding="latin-1")
    [line] = re.findall(rf"^{lemma} n .*$", index, re.MULTILINE)
    return str(re.findall(r"\b\d{8}\b", line)[int(number) - 1])


@pytest.mark.usefixtures("database")
def test_dolphin_is_under_whale_and_so_three_edges_from_its_leaf() -> None:
    """whale's leaf - whale - toothed whale - dolphin."""
    assert edges("wordnet", ["whale", "dolphin"], Path("nowhere"))[0, 1] == 3


@pytest.mark.usefixtures("database")
def test_instances_hang_from_their_class() -> None:
    """Danube and Thames are instances of river."""
    found = edges("wordnet", ["danube.n.01", "thames.n.01", "river.n.01"], Path("nowhere"))
    assert same(found, [[0, 2, 2], [2, 0, 2], [2, 2, 0]])


def test_the_data_file_of_nouns_identifies_wordnet(database: Path) -> None:
    assert locate("wordnet", Path("nowhere")) == database


@pytest.mark.usefixtures("database")
def test_a_file_can_say_what_a_class_stands_for(tmp_path: Path) -> None:
    (tmp_path / "names.tsv").write_text("jaguar\tjaguar.n.01\nbig cat\tn02127808\n")
    found = edges("wordnet:names.tsv", ["jaguar", "big cat", "lion"], tmp_path)
    assert same(found, [[0, 2, 2], [2, 0, 2], [2, 2, 0]])
    assert locate("wordnet:names.tsv", tmp_path) == tmp_path / "names.tsv"


# What is refused


def test_an_unknown_hierarchy_is_told_what_is_valid(tmp_path: Path) -> None:
    valid = "'strokes', 'wordnet', 'wordnet:FILE', or the path of a taxonomy file"
    expected = f"there is no file {tmp_path / 'stroke'}: must be {valid}"
    assert reason("stroke", ["a"], tmp_path) == expected
    with pytest.raises(Invalid, match="hierarchy = 'stroke': there is no file"):
        locate("stroke", tmp_path)


@pytest.mark.usefixtures("database")
def test_wordnet_with_a_missing_file_of_names_is_refused(tmp_path: Path) -> None:
    assert "there is no file" in reason("wordnet:names.tsv", ["dog"], tmp_path)
    assert "there is no file" in reason("wordnet:", ["dog"], tmp_path)


def test_a_missing_wordnet_says_where_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORDNET_DIR", str(tmp_path))
    assert reason("wordnet", ["dog"], tmp_path) == (
        f"there is no WordNet database (data.noun) in WORDNET_DIR = {tmp_path}: "
        "apt install wordnet-base, or python -m nltk.downloader wordnet, "
        "or set WORDNET_DIR to the folder of one"
    )


def test_classes_that_the_taxonomy_misses_are_named(tmp_path: Path) -> None:
    (tmp_path / "animals.txt").write_text(LINES)
    assert reason("animals.txt", ["gull", "auk", "7.tern"], tmp_path) == (
        "misses the classes 'auk', '7.tern': must name each (nearest to 'auk': 'duck'); its "
        "leaves are 'dolphin', 'gull', 'duck'"
    )


def test_the_nearest_names_of_a_class_that_the_taxonomy_misses_are_told(tmp_path: Path) -> None:
    (tmp_path / "animals.txt").write_text(LINES)
    found = reason("animals.txt", ["gul"], tmp_path)
    assert "must name each (nearest to 'gul': 'gull'); its leaves are" in found


def test_of_many_missing_classes_ten_are_named(tmp_path: Path) -> None:
    many = [f"bird{number}" for number in range(12)]
    assert "'bird9' and 2 more: must name each" in reason("strokes", many, tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b\nb c\nc a\n", "has the cycle b -> c -> a -> b: must have none"),
        ("a b\nb b\n", "has the cycle b -> b: must have none"),
        ("a b\nc d\n", "has the roots 'a', 'c': must have one root"),
        ("a b\na b\n", "has the line 'a b' twice: must be once"),
        ("a b\nb c d\n", "has in line 2 'b c d': must be two names (with spaces: a tab)"),
        ("a\n", "has in line 1 'a': must be two names (with spaces: a tab)"),
        ("a\t\n", "has in line 1 'a': must be two names (with spaces: a tab)"),
        ("", "is empty: must be nested JSON (NAME.json), or lines 'parent child'"),
        (" \n", "is empty: must be nested JSON (NAME.json), or lines 'parent child'"),
    ],
)
def test_lines_that_are_no_rooted_dag_are_refused(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "bad.txt").write_text(text)
    found = reason("bad.txt", ["b"], tmp_path)
    if "cycle" in expected:  # which may be told from any of its nodes on
        assert sorted(set(found.split())) == sorted(set(expected.split()))
    else:
        assert found == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": ["b"], "c": ["d"]}', "has the roots 'a', 'c': must have one root"),
        ('{"a": ["b", "b"]}', "names 'b' twice: must be once (a file of lines may)"),
        ('{"a": {"b": null, "b": ["c"]}}', "names 'b' twice: must be once (a file of lines may)"),
        ("{}", "has no names in it: must have one root"),
        (
            '{"a": 3}',
            "has 3 where an object, a list or null must be: "
            "must be nested JSON (NAME.json), or lines 'parent child'",
        ),
        (
            '{"a": ',
            "is not readable as JSON (Expecting value: line 1 column 7 (char 6)): "
            "must be nested JSON (NAME.json), or lines 'parent child'",
        ),
        ("\n", "is empty: must be nested JSON (NAME.json), or lines 'parent child'"),
    ],
)
def test_json_that_is_no_tree_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "bad.json").write_text(text)
    assert reason("bad.json", ["b"], tmp_path) == expected


def test_json_too_deep_to_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "deep.json").write_text("[" * 100_000)
    assert reason("deep.json", ["b"], tmp_path).startswith("is not readable as JSON")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_bytes(b"a \xff\n")
    found = reason("bad.txt", ["b"], tmp_path)
    assert found.startswith("cannot be read")
    assert found.endswith("must be text in UTF-8")


def test_two_classes_of_one_node_are_refused(tmp_path: Path) -> None:
    (tmp_path / "birds.txt").write_text("bird 1\nbird 2\n")
    expected = "the classes '1.gull' and '01.tern' are one node, 1: they must differ"
    assert reason("birds.txt", ["1.gull", "2.duck", "01.tern"], tmp_path) == expected
    assert "'zero' and 'zero' are one node" in reason("strokes", ["zero", "zero"], tmp_path)


@pytest.mark.usefixtures("database")
def test_two_classes_of_one_synset_are_refused(tmp_path: Path) -> None:
    expected = "the classes 'automobile' and 'car.n.01' are one node, n02958343: they must differ"
    assert reason("wordnet", ["automobile", "car.n.01"], tmp_path) == expected


@pytest.mark.usefixtures("database")
def test_a_class_named_twice_in_the_file_of_synsets_is_refused(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("goose goose.n.01\ngoose goose.n.03\n")
    expected = "names the class 'goose' twice: must be once"
    assert reason("wordnet:names.txt", ["goose"], tmp_path) == expected
