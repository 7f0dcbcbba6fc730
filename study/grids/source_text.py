"""Source text: the lines that a class of a user's own files comes from.

These are the statement that defines it, and, for each name in such a statement, the statements at
the top of the files that bind the name. So a new row, or another class, changes no checksum.
"""

import ast
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from trainables.settings import Invalid
from trainables.worker.node import PACKAGES

Place = tuple[str, int]  # a module, and the place of a statement in it


@dataclass(frozen=True)
class Module:
    """A file of the user's, read as statements."""

    path: Path
    text: str

    @cached_property
    def statements(self) -> list[ast.stmt]:
        return ast.parse(self.text).body

    @cached_property
    def binding(self) -> dict[str, list[int]]:
        """The places of the statements that bind each name."""
        found: dict[str, list[int]] = {}
        for place, statement in enumerate(self.statements):
            for name in _bound(statement):
                found.setdefault(name, []).append(place)
        return found

    @cached_property
    def unbound(self) -> list[int]:
        """The places of statements that may concern everything: they bind no name, or any."""
        return [
            place
            for place, statement in enumerate(self.statements)
            if "*" in _bound(statement) or not (_bound(statement) or _idle(statement))
        ]

    def segment(self, place: int) -> str:
        """The lines of a statement, with its decorators."""
        statement = self.statements[place]
        first = min(n.lineno for n in [statement, *getattr(statement, "decorator_list", [])])
        return "\n".join(self.text.splitlines()[first - 1 : statement.end_lineno])


def checksum(name: str, module: str, modules: Mapping[str, Module]) -> str:
    """Of the source of the class `name` in `module`; `modules` are all files of the user's."""
    wanted = [(module, place) for place in modules[module].binding[name]]
    found: set[Place] = set()
    while wanted:
        at = wanted.pop()
        if at not in found:
            found.add(at)
            wanted += _needed(*at, modules)
            wanted += [(at[0], place) for place in modules[at[0]].unbound]
    digest = hashlib.sha256()
    for owner, place in sorted(found):
        digest.update(f"{owner}\0{modules[owner].segment(place)}\0".encode())
    return digest.hexdigest()[:16]


def check_imports(modules: Mapping[str, Module]) -> None:
    """Raises Invalid for an import inside a function: other machines would not find that file."""
    for module in modules.values():
        for function in ast.walk(ast.parse(module.text)):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                for node in ast.walk(function):
                    if isinstance(node, ast.Import | ast.ImportFrom):
                        _check_import(node, module)


def _check_import(node: ast.Import | ast.ImportFrom, module: Module) -> None:
    named = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
    for name in (whole.partition(".")[0] for whole in named):
        if _is_own(name, module.path.parent):
            where = f"{module.path}, line {node.lineno}"
            raise Invalid(f"{where}: import {name}: must stand at the top")


def _is_own(name: str, folder: Path) -> bool:
    there = (folder / f"{name}.py").exists() or (folder / name / "__init__.py").exists()
    return there and name not in PACKAGES


def _needed(module: str, place: int, modules: Mapping[str, Module]) -> Iterator[Place]:
    """What else counts for a statement: what binds its names, here or where it imports from."""
    own = modules[module]
    statement = own.statements[place]
    if isinstance(statement, ast.Import | ast.ImportFrom):  # as a whole: `from helper import *`
        for other, name in _imported(statement, modules):
            yield from _places(other, name, modules)
    for node in ast.walk(statement):
        if isinstance(node, ast.Name):
            for i in own.binding.get(node.id, ()):
                binding = own.statements[i]
                taken = list(_imported(binding, modules, node.id))
                for other, name in taken:
                    yield from _places(other, name, modules)
                if not taken:
                    yield module, i


def _places(module: str, name: str | None, modules: Mapping[str, Module]) -> Iterator[Place]:
    """Of the statements that bind a name in a module; of all without a name, or for a module's."""
    places = modules[module].binding.get(name or "")
    every = range(len(modules[module].statements))
    yield from ((module, i) for i in (every if places is None else places))


def _imported(
    statement: ast.AST, modules: Mapping[str, Module], bound: str | None = None
) -> Iterator[tuple[str, str | None]]:
    """The user's modules that a statement imports, each with the name that is taken of it.

    None stands for all of the module. `bound`: only what the statement gives that name to.
    """
    for alias in getattr(statement, "names", []):
        if not isinstance(alias, ast.alias):
            continue
        as_name = alias.asname or alias.name.partition(".")[0]
        if bound is not None and as_name != bound:
            continue
        if isinstance(statement, ast.Import):
            if alias.name in modules:
                yield alias.name, None
            continue
        base = getattr(statement, "module", None) or ""
        whole = f"{base}.{alias.name}".lstrip(".")
        if whole in modules:
            yield whole, None
        elif base in modules:
            yield base, None if alias.name == "*" else alias.name


def _bound(statement: ast.stmt) -> set[str]:
    """The names that a statement at the top of a file binds."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    found = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    return found


def _idle(statement: ast.stmt) -> bool:
    """Whether it does nothing: a docstring, or `pass`."""
    text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return text or isinstance(statement, ast.Pass)
