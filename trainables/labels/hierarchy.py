"""Hierarchies of the classes, and how many edges lie between two classes (Yuan et al., ICPR 2020).

A hierarchy is a rooted tree or DAG, kept as the parents of each node. It is named by
- "strokes": the ten digits, below;
- "wordnet": the hypernyms of the synsets that the class names stand for, or "wordnet:FILE" with a
  file of lines "class synset" for the names whose synset has to be said;
- the path of a taxonomy: NAME.json with nested objects and lists of names, {"bird": ["gull", ...]},
  or any other file with a line "parent child" for each edge. Names with spaces: a tab between.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import torch
from torch import Tensor

from trainables.labels import synsets
from trainables.settings import Invalid, Missing, readable

# By the pen's path. Closed: it comes back to where it was, with nothing else (0, 8) or with a tail
# (6, 9). Open: only straight strokes, one (1) or at an angle (4, 7: a hand-written 4 is mostly open
# at the top), or arcs, alone (3) or with a straight stroke (2, 5). Distances from 2 to 7.
STROKES = """
{"digit": {
    "closed": {"loops": ["zero", "eight"], "loop and tail": ["six", "nine"]},
    "open": {
        "straight": ["one", {"angle": ["four", "seven"]}],
        "arcs": ["three", {"arc and line": ["two", "five"]}]}}}
"""

VALID = "'strokes', 'wordnet', 'wordnet:FILE', or the path of a taxonomy file"
FORMATS = "must be nested JSON (NAME.json), or lines 'parent child'"
FAR = 1 << 20  # more edges than any path has


def edges(hierarchy: str, classes: Sequence[str], folder: Path) -> Tensor:
    """e_ij (classes, classes), int64: edges of the shortest path through a common ancestor.

    0 on the diagonal and at least 2 elsewhere. Relative paths are under `folder`. In a taxonomy
    a class is the node of its own name, or, where there is none, a name that begins with a number
    and a dot is the node of that number: "001.Black_footed_Albatross" is "1". Raises Invalid.
    """
    with _field(hierarchy):
        kind, colon, file = hierarchy.partition(":")
        if kind == "wordnet":
            own = _own(_text(file, folder)) if colon else {}
            wordnet = synsets.read(synsets.find(folder).parent.resolve())
            chosen = synsets.choose(classes, wordnet, own)
            nodes, parents = synsets.ids(chosen), synsets.hypernyms(chosen)
        else:
            parents = taxonomy(hierarchy, folder)
            nodes = _nodes(classes, parents)
        for i, node in enumerate(nodes):
            if node in nodes[:i]:
                twins = f"{classes[nodes.index(node)]!r} and {classes[i]!r}"
                raise ValueError(f"the classes {twins} are one node, {node}: they must differ")
        return shortest(nodes, parents)


def locate(hierarchy: str, folder: Path) -> Path | None:
    """The file whose content identifies the hierarchy; None for the one in this module.

    Raises Invalid where it is missing. With "wordnet:FILE" that is FILE: the version of WordNet
    is checked when it is read.
    """
    with _field(hierarchy):
        if hierarchy == "strokes":
            return None
        if hierarchy == "wordnet":
            return synsets.find(folder)
        return _file(hierarchy.removeprefix("wordnet:"), folder)


def shortest(nodes: Sequence[str], parents: Mapping[str, Sequence[str]]) -> Tensor:
    """Edges (n, n), int64, between distinct nodes of a rooted DAG, up to an ancestor and down.

    A node that is an ancestor of another gets a leaf of its own one edge below, so that the
    distance is at least 2 and no class is part of a path between others.
    """
    above = [ancestors(node, parents) for node in nodes]
    inner = {up for node, depths in zip(nodes, above, strict=True) for up in depths if up != node}
    column = {up: i for i, up in enumerate({up for depths in above for up in depths})}
    climb = torch.full((len(nodes), len(column)), FAR, dtype=torch.int32)
    for i, (node, depths) in enumerate(zip(nodes, above, strict=True)):
        climb[i, [column[up] for up in depths]] = torch.tensor(
            [depth + (node in inner) for depth in depths.values()], dtype=torch.int32
        )
    return torch.stack([(row + climb).amin(1) for row in climb]).long().fill_diagonal_(0)


def ancestors(node: str, parents: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Every ancestor, the node itself too, with the fewest edges up to it (breadth first)."""
    depth = {node: 0}
    queue = [node]
    for below in queue:
        for parent in parents[below]:
            if parent not in depth:
                depth[parent] = depth[below] + 1
                queue.append(parent)
    return depth


def taxonomy(hierarchy: str, folder: Path) -> dict[str, list[str]]:
    """The parents of each node of the strokes or of a file.

    Raises ValueError for a file that cannot be read, is empty, names an edge or a JSON node twice,
    or has a cycle or several roots.
    """
    if hierarchy == "strokes":
        pairs = list(_nested(STROKES))
    elif hierarchy.endswith(".json"):
        pairs = list(_nested(_text(hierarchy, folder)))
    else:
        lines = _pairs(_text(hierarchy, folder))
        pairs = [(child, parent) for parent, child in lines]
    parents: dict[str, list[str]] = {}
    for child, parent in pairs:
        parents.setdefault(child, [])
        if parent is not None:
            if parent in parents[child]:
                raise ValueError(f"has the line '{parent} {child}' twice: must be once")
            parents.setdefault(parent, [])
            parents[child].append(parent)
    try:
        TopologicalSorter(parents).prepare()
    except CycleError as error:
        raise ValueError(f"has the cycle {' -> '.join(error.args[1])}: must have none") from error
    roots = [node for node, above in parents.items() if not above]
    if len(roots) != 1:
        found = f"the roots {_listed(roots)}" if roots else "no names in it"
        raise ValueError(f"has {found}: must have one root")
    return parents


def _nested(text: str) -> Iterator[tuple[str, str | None]]:
    """(child, parent) for every name in JSON; the parent of the outermost is None."""
    try:
        # Pairs, not a dict, which would drop a name that stands twice in one object.
        top = json.loads(text, object_pairs_hook=tuple)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not readable as JSON ({error}): {FORMATS}") from error
    seen: set[str] = set()
    rest: list[tuple[object, str | None]] = [(top, None)]
    while rest:
        value, parent = rest.pop()
        for name, below in _items(value):
            if name in seen:
                raise ValueError(f"names {name!r} twice: must be once (a file of lines may)")
            seen.add(name)
            yield name, parent
            rest.append((below, name))


def _items(value: object) -> list[tuple[str, object]]:
    """What stands in a JSON object (a tuple of pairs), list, or null."""
    if value is None:
        return []
    if isinstance(value, tuple):
        return list(value)
    if not isinstance(value, list):
        raise ValueError(f"has {value!r} where an object, a list or null must be: {FORMATS}")
    nested = [[(item, None)] if isinstance(item, str) else _items(item) for item in value]
    return [pair for pairs in nested for pair in pairs]


def _pairs(text: str) -> list[tuple[str, str]]:
    """The two names of each line that is not blank."""
    pairs: list[tuple[str, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        names = [name.strip() for name in line.split("\t" if "\t" in line else None)]
        if not line.strip():
            continue
        if len(names) != 2 or not all(names):
            raise ValueError(
                f"has in line {number} {line.strip()!r}: must be two names (with spaces: a tab)"
            )
        pairs.append((names[0], names[1]))
    return pairs


def _own(text: str) -> dict[str, str]:
    """The synset of each class that a line "class synset" names."""
    own: dict[str, str] = {}
    for name, synset in _pairs(text):
        if name in own:
            raise ValueError(f"names the class {name!r} twice: must be once")
        own[name] = synset
    return own


def _nodes(classes: Sequence[str], parents: Mapping[str, Sequence[str]]) -> list[str]:
    """The node of each class, by its name or the number that begins it."""
    nodes = []
    for name in classes:
        number = re.match(r"0*(\d+)\.", name)
        nodes.append(number[1] if number and name not in parents else name)
    missing = [name for name, node in zip(classes, nodes, strict=True) if node not in parents]
    if missing:
        inner = {parent for above in parents.values() for parent in above}
        leaves = [node for node in parents if node not in inner]
        near = get_close_matches(missing[0], parents, n=3, cutoff=0.5)
        nearest = f" (nearest to {missing[0]!r}: {_listed(near)})" if near else ""
        raise ValueError(
            f"misses the classes {_listed(missing)}: must name each{nearest}; its leaves are "
            f"{_listed(leaves)}"
        )
    return nodes


def _text(name: str, folder: Path) -> str:
    path = _file(name, folder)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise ValueError(f"cannot be read ({error}): must be text in UTF-8") from error
    if not text.strip():
        raise ValueError(f"is empty: {FORMATS}")
    return text


def _file(name: str, folder: Path) -> Path:
    path = folder / name
    with readable(path):
        found = path.is_file()
    if not found:
        raise Missing(f"there is no file {path}: must be {VALID}")
    return path


def _listed(names: Sequence[str], most: int = 10) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(repr, names[:most])) + more


@contextmanager
def _field(hierarchy: str) -> Iterator[None]:
    """Names the field and its value in what is wrong with it."""
    try:
        yield
    except ValueError as error:
        kind = Missing if isinstance(error, Missing) else Invalid
        raise kind(f"hierarchy = {hierarchy!r}: {error}") from error
