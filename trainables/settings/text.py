"""Text: settings as a command line writes them."""

import ast
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from trainables.settings.invalid import Invalid, unknown
from trainables.settings.ranges import Of
from trainables.settings.settings import Record, Use, classes_of, kinds_of


def assigned(owner: Any, values: Mapping[tuple[str, ...], Any], kind: Any = None) -> Any:
    """`owner` with the settings at these paths changed at once, so that they are checked together.

    `kind` is the annotation of the setting that `owner` itself is.
    """
    if isinstance(owner, tuple):
        old: dict[str, Any] = {str(i): item for i, item in enumerate(owner)}
        kinds: Mapping[str, Any] = dict.fromkeys(old, get_args(kind)[0])
        what = "entry"
    elif isinstance(owner, Record | Use):
        old = {name: value for name, value, _ in owner.settings()}
        kinds = kinds_of(owner.part if isinstance(owner, Use) else type(owner))
        what = f"{owner.name if isinstance(owner, Use) else type(owner).__name__.lower()}: setting"
    else:
        raise Invalid(f"{owner!r} has no setting {next(iter(values))[0]!r}")
    new = {}
    for name in dict.fromkeys(path[0] for path in values):
        if name not in old:
            raise unknown(what, name, old)
        # The whole before what is inside it: targets=Smooth and targets.epsilon=0.2 go together.
        new[name] = _read(kinds[name], values[name,]) if (name,) in values else old[name]
        inside = {path[1:]: v for path, v in values.items() if path[0] == name and path[1:]}
        if inside:
            new[name] = assigned(new[name], inside, kinds[name])
    return tuple({**old, **new}.values()) if isinstance(owner, tuple) else owner.but(**new)


def _read(kind: Any, value: Any) -> Any:
    """The value that a text of the command line stands for; what is no text stands for itself."""
    if not isinstance(value, str):
        return value
    base = _base(kind)
    try:
        if base is not None or _entries(kind) is not None:
            return _value(kind, ast.parse(value, mode="eval").body)
        literal = ast.literal_eval(value)
        return value if kind is str and not isinstance(literal, str) else literal  # a folder 2012
    except Invalid:
        raise
    except (ValueError, SyntaxError):
        if base is None:
            return value
        valid = "a class with its settings, like Smooth or Smooth(epsilon=0.2)"
        raise Invalid(f"{base.__name__.lower()} = {value!r}: must be {valid}") from None


def _value(kind: Any, tree: ast.expr) -> Any:
    """The value of a setting of that kind: a class with its settings, several, or a literal."""
    if (base := _base(kind)) is not None:
        empty = isinstance(tree, ast.Constant) and tree.value is None
        return None if empty and NoneType in get_args(kind) else _use(base, tree)
    if (base := _entries(kind)) is not None:
        return tuple(_use(base, entry) for entry in getattr(tree, "elts", [tree]))
    return ast.literal_eval(tree)


def _base(kind: Any) -> type | None:
    """The class that a setting's Use must be of, or None for another kind of setting."""
    options = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    demands = (extra for option in options for extra in get_args(option))
    return next((demand.kind for demand in demands if isinstance(demand, Of)), None)


def _entries(kind: Any) -> type | None:
    """The same for the entries of a tuple."""
    return _base(get_args(kind)[0]) if get_origin(kind) is tuple else None


def _use(base: type, tree: ast.expr) -> Use:
    """`Smooth` or `Smooth(epsilon=0.2)`, with a class of the kind `base`."""
    call = tree if isinstance(tree, ast.Call) else ast.Call(tree, [], [])
    if not isinstance(call.func, ast.Name) or call.args:
        raise ValueError
    classes = classes_of(base)
    if call.func.id not in classes:
        raise unknown(base.__name__.lower(), call.func.id, classes)
    for name in (keyword.arg for keyword in call.keywords):
        values = [ast.unparse(k.value) for k in call.keywords if k.arg == name]
        if len(values) > 1:  # which a call in Python refuses, but not `ast`
            raise Invalid(f"{call.func.id}.{name} = {', '.join(values)}: must be given once")
    part = classes[call.func.id]
    kinds = kinds_of(part)
    settings = {str(k.arg): _value(kinds.get(str(k.arg)), k.value) for k in call.keywords}
    return Use(part, **settings)
