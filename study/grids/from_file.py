"""From a file: a grid of the user's own, and the parts defined there and beside it."""

import importlib.util
import inspect
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from study.grids.grid import SUFFIX, Grid, grids
from study.grids.kinds import KINDS
from study.grids.source_text import Module, check_imports, checksum
from trainables.settings import CHECKSUM, Invalid, adopt, classes_of, readable
from trainables.worker.node import PACKAGES


@dataclass(frozen=True)
class Own:
    """What a file of the user's has: its grid, and the modules that came with it."""

    grid: Grid
    modules: dict[str, ModuleType]
    sources: dict[str, Module]  # by the same names

    @property
    def current(self) -> bool:
        """Whether no file has changed since."""
        files = self.sources.values()
        return all(file.path.exists() and _text(file.path) == file.text for file in files)


_loaded: dict[Path, Own] = {}  # the newest one alone: by name, its classes are found


def load(name: str) -> Grid:
    """The grid that the file defines. Its parts are adopted: found by name, known by their source.

    A file is read once, whatever becomes of it while a study runs. Raises Invalid for a file that
    is missing, fails (with its own line number) or defines no `grid`, and for a class with the name
    of one of ours.
    """
    path = Path(name).expanduser().resolve()
    if path not in _loaded:
        forget()
        _loaded[path] = _read(path, name)
    return _loaded[path].grid


def loaded(name: str) -> Grid | None:
    """The grid of a file that is loaded, by what it is called."""
    return next((own.grid for path, own in _loaded.items() if path.stem == name), None)


def refresh() -> None:
    """A file that has changed since it was loaded is to be read anew."""
    if not all(own.current for own in _loaded.values()):
        forget()


def modules() -> list[ModuleType]:
    """The modules of the user's own, whose classes travel to other machines by value."""
    return [module for own in _loaded.values() for module in own.modules.values()]


def forget() -> None:
    """No file is loaded any more."""
    for own in _loaded.values():
        for module in own.modules:
            sys.modules.pop(module, None)
    _loaded.clear()
    adopt([])


def _read(path: Path, name: str) -> Own:
    with readable(path):
        if not path.is_file():
            raise Invalid(f"--grid = {name}: must be a file that defines `grid`, or a grid's name")
    stem = path.stem
    if stem in grids():
        raise Invalid(f"--grid = {name}: must have another name: {stem} is one of ours")
    if stem in sys.modules or not stem.isidentifier():
        raise Invalid(f"--grid = {name}: must have another name: {stem!r} cannot be imported")
    before = set(sys.modules)
    with _importing(path.parent, before):
        module = _executed(stem, path, name)
        found = {n: m for n, m in sys.modules.items() if n not in before and _beside(m, path)}
        grid = getattr(module, "grid", None)
        if not isinstance(grid, Grid):
            raise Invalid(f"--grid = {name}: must define `grid`, a Grid; it has {grid!r}")
        sources = {n: _module(m) for n, m in found.items()}
        check_imports(sources)
        parts = _parts(found, sources)
        _check_known(grid, name)
    adopt(parts)
    return Own(grid, found, sources)


@contextmanager
def _importing(folder: Path, before: set[str]) -> Iterator[None]:
    """Files in the folder can be imported; where that fails, they are as if they had not been."""
    sys.path.insert(0, str(folder))
    try:
        yield
    except BaseException:
        for name in set(sys.modules) - before:
            if _beside(sys.modules[name], folder / "any"):
                del sys.modules[name]
        raise
    finally:
        sys.path.remove(str(folder))


def _executed(stem: str, path: Path, name: str) -> ModuleType:
    try:
        return importlib.import_module(stem)
    except Exception as error:
        raise Invalid(f"--grid = {_where(error, path, name)}: {_said(error)}") from None


def _where(error: Exception, path: Path, name: str) -> str:
    """The user's file and line that an error comes from."""
    if isinstance(error, SyntaxError) and error.filename:
        file, line = Path(error.filename), error.lineno
    else:
        frames = traceback.extract_tb(error.__traceback__)
        own = [f for f in frames if Path(f.filename).is_relative_to(path.parent)]
        if not own:
            return name
        file, line = Path(own[-1].filename), own[-1].lineno
    return f"{name if file == path else file}, line {line}"


def _said(error: Exception) -> str:
    said = " ".join(str(error.msg if isinstance(error, SyntaxError) else error).split())
    return said if isinstance(error, Invalid) else f"{type(error).__name__}: {said}"


def _beside(module: ModuleType, path: Path) -> bool:
    """Whether it comes from a file beside the grid's, or in a folder there, but not installed."""
    file = getattr(module, "__file__", None)
    if not file or not file.endswith(SUFFIX) or not Path(file).is_relative_to(path.parent):
        return False
    inside = Path(file).relative_to(path.parent).parts
    environment = Path(sys.prefix).is_relative_to(path.parent)
    return not (environment and Path(file).is_relative_to(sys.prefix)) and (
        "site-packages" not in inside and inside[0] not in PACKAGES
    )


def _module(module: ModuleType) -> Module:
    path = Path(str(module.__file__))
    return Module(path, _text(path))


def _text(path: Path) -> str:
    """In whatever encoding the file says that it has, as Python reads it."""
    return importlib.util.decode_source(path.read_bytes())


def _parts(found: dict[str, ModuleType], sources: dict[str, Module]) -> list[type]:
    """The classes that are parts, each with the checksum of its source."""
    ours = {name for kind in KINDS.values() for name in classes_of(kind)}
    parts: dict[str, type] = {}
    for module_name, module in found.items():
        for cls in list(vars(module).values()):
            if not (isinstance(cls, type) and cls.__module__ == module_name):
                continue
            if not issubclass(cls, tuple(KINDS.values())) or inspect.isabstract(cls):
                continue
            name = cls.__name__
            where = f"{sources[module_name].path}: class {name}"
            if name in ours:
                raise Invalid(f"{where}: must have another name: one of ours is called so")
            if name in parts and parts[name] is not cls:
                other = sources[parts[name].__module__].path
                raise Invalid(f"{where}: must have another name: {other} has one, too")
            _settle(cls, where)
            setattr(cls, CHECKSUM, checksum(name, module_name, sources))
            parts[name] = cls
    return list(parts.values())


def _check_known(grid: Grid, name: str) -> None:
    """Raises Invalid for a part of an installed package: nothing would tell its versions apart."""
    for row, _, trial, _ in grid.cells():
        for use in trial.uses() if trial else ():
            module = use.part.__module__
            if module.partition(".")[0] not in PACKAGES and not use.source:
                valid = "must be defined in the grid's file, or in one beside it"
                raise Invalid(f"--grid = {name}: row {row!r}: {use.name} of {module}: {valid}")


def _settle(cls: type, where: str) -> None:
    """Annotations that are text become what they stand for: elsewhere their names are not known."""
    if "__init__" in vars(cls):
        start = vars(cls)["__init__"]
        try:
            start.__annotations__ = inspect.get_annotations(start, eval_str=True)
        except NameError as error:
            raise Invalid(f"{where}: annotations must be importable: {error}") from None
