"""One training run as a frozen record: data, net, the four parts of a method, recipe, seed."""

import ast
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from trainables.data.augment import Augment
from trainables.data.corrupt import Corrupt
from trainables.data.source import Source
from trainables.heads.head import Head
from trainables.heads.linear import Linear
from trainables.losses.cross_entropy import CrossEntropy
from trainables.losses.loss import Loss
from trainables.methods.method import Method
from trainables.nets.net import Net
from trainables.settings import (
    Count,
    Interval,
    Invalid,
    Of,
    Positive,
    Record,
    Suggest,
    Use,
    Weight,
    classes_of,
    keywords_of,
    unknown,
)
from trainables.targets.one_hot import OneHot
from trainables.targets.targets import Targets

# Raised whenever a default or the numerics of training change, so that no old result stands in for
# a new one; the golden files of tests/study turn red when that is forgotten.
PROTOCOL = 1

Scalar = str | int | float | bool | None
Setting = Record | Use


@dataclass(frozen=True, kw_only=True)
class DataSpec(Record):
    """Which images are trained on, validated on and tested on."""

    source: Annotated[Use, Of(Source)]
    # A random subset of every class, drawn after the validation images are taken out.
    train_per_class: Count | None = None
    validation: Annotated[float, Interval("[0, 1)")] = 0.1  # share of every class's training images
    test: bool = True  # False: the test images are not even loaded
    # Rules by which training labels are made wrong, after the subset is drawn; in this order.
    corrupt: tuple[Annotated[Use, Of(Corrupt)], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Recipe(Record):
    """How the weights are trained: SGD, its schedule, augmentation, number formats."""

    epochs: Count
    batch_size: Count = 128
    lr: Positive = 0.1
    momentum: Annotated[float, Interval("[0, 1)")] = 0.9
    nesterov: bool = False
    weight_decay: Weight = 5e-4
    schedule: Literal["step", "cosine", "constant"] = "step"
    milestones: tuple[Positive, ...] = ()  # epochs after which lr is multiplied by gamma
    gamma: Annotated[float, Interval("(0, 1]")] = 0.1
    warmup_epochs: Weight = 0.0
    augment: tuple[Annotated[Use, Of(Augment)], ...] = ()
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    memory_format: Literal["auto", "contiguous", "channels_last"] = "auto"
    keep: Annotated[int, Interval("[0, inf)")] = 0  # the weights of so many evenly spaced epochs
    # Where it is printed, and which fields are our assumption, as its tables say: not of the id.
    paper: str = field(default="", compare=False)
    assumed: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        ascending = list(self.milestones) == sorted(set(self.milestones))
        if not ascending or any(m >= self.epochs for m in self.milestones):
            valid = f"ascending and below epochs = {self.epochs}"
            raise Invalid(f"recipe.milestones = {self.milestones}: must be {valid}")
        if (self.schedule == "step") != bool(self.milestones):
            valid = "some epochs with schedule = step, and empty with any other"
            raise Invalid(f"recipe.milestones = {self.milestones}: must be {valid}")
        if self.keep > self.epochs:
            raise Invalid(f"recipe.keep = {self.keep}: must be at most epochs = {self.epochs}")
        if self.nesterov and self.momentum == 0:
            raise Invalid("recipe.nesterov = True: must be False where recipe.momentum = 0")
        for name in self.assumed:
            if name not in vars(self):
                raise unknown("recipe.assumed: field", name, vars(self))

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        """The same space for every method, whatever the paper's own rate is."""
        return {
            "lr": trial.suggest_float("lr", 3e-4, 0.3, log=True),
            "weight_decay": trial.suggest_float("weight_decay", 1e-6, 1e-2, log=True),
        }


@dataclass(frozen=True, kw_only=True)
class Trial(Record):
    """One training run. Trials with equal settings are one trial: one id, one result.

    Each part's class may have `check_trial(trial, **settings)`, which raises Invalid for what the
    part does not go together with.
    """

    data: DataSpec
    net: Annotated[Use, Of(Net)]
    head: Annotated[Use, Of(Head)] = Use(Linear)
    targets: Annotated[Use, Of(Targets)] = Use(OneHot)
    loss: Annotated[Use, Of(Loss)] = Use(CrossEntropy)
    method: Annotated[Use, Of(Method)] = Use(Method)
    recipe: Recipe
    seed: Annotated[int, Interval("[0, inf)")] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        for use in self._parts():
            if hasattr(use.part, "check_trial"):
                use.part.check_trial(self, **dict(use.items))

    def _parts(self) -> tuple[Use, ...]:
        return self.net, self.head, self.targets, self.loss, self.method

    @property
    def id(self) -> str:
        """Twelve hex digits over PROTOCOL and the settings that differ from their defaults.

        Files enter by checksum, never by path. Raises Invalid while something is unresolved.
        """
        identity = {"protocol": PROTOCOL, **dict(_identity("", self))}
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:12]

    def flat(self) -> dict[str, Scalar]:
        """Every setting by its dotted name, defaults and checksums included: what is logged."""
        return dict(_flat("", self))

    def resolved(self, folder: Path, formats: dict[str, str]) -> "Trial":
        """The same with "auto" replaced by `formats` and all files under `folder` checksummed.

        Raises Invalid where a file is missing.
        """

        def resolve(setting: Setting) -> Setting:
            return setting.resolved(folder) if isinstance(setting, Use) else setting

        return map_settings(self.with_formats(formats), resolve)

    def with_formats(self, formats: dict[str, str]) -> "Trial":
        """The same with each "auto" replaced by what `formats` has for it."""

        def settle(setting: Setting) -> Setting:
            if not isinstance(setting, Recipe):
                return setting
            return setting.but(
                **{k: v for k, v in formats.items() if getattr(setting, k) == "auto"}
            )

        return map_settings(self, settle)

    def set(self, values: Mapping[str, Any]) -> "Trial":
        """The same with settings, by their dotted names, changed together.

        Text is read as a Python literal where it is one; for a part, as `Smooth(epsilon=0.2)`.
        Raises Invalid for a name that the trial has no setting of, and for a wrong value.
        """
        changed: Trial = _set(self, {tuple(name.split(".")): v for name, v in values.items()})
        return changed

    def teachers(self) -> tuple["Trial", ...]:
        """The trials whose trained nets this one's parts need: what their `teacher(trial)` say.

        They follow from the trial's own settings and seed, and so add nothing to its id.
        """
        asked = [use.part.teacher(self) for use in self._parts() if hasattr(use.part, "teacher")]
        return tuple(dict.fromkeys(asked))

    def uses(self) -> Iterator[Use]:
        """Every Use in the trial."""
        found: list[Use] = []

        def note(setting: Setting) -> Setting:
            if isinstance(setting, Use):
                found.append(setting)
            return setting

        map_settings(self, note)
        return iter(found)


def map_settings(trial: Trial, change: Callable[[Setting], Setting]) -> Trial:
    """`trial` with `change` applied to every record and Use inside it, the inner ones first."""

    def inner(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(inner, value))
        if not isinstance(value, Record | Use):
            return value
        mapped = {name: inner(old) for name, old, _ in value.settings()}
        old = {name: old for name, old, _ in value.settings()}
        return change(value.but(**mapped) if mapped != old else value)

    return trial.but(**{name: inner(value) for name, value, _ in trial.settings()})


def _identity(prefix: str, setting: Setting) -> Iterator[tuple[str, Scalar]]:
    checksums: dict[str, str] = {}
    if isinstance(setting, Use) and hasattr(setting.part, "files"):
        if setting.checksums is None:
            raise Invalid(
                f"{prefix[:-1]} = {setting!r}: the checksum of its files is not known yet"
            )
        checksums = dict(setting.checksums)
    for name, value, default in setting.settings():
        if name in checksums:
            yield f"{prefix}{name}", checksums[name]
        elif value == "auto":
            raise Invalid(f"{prefix}{name} = auto: not resolved for a device yet")
        elif value != default:
            yield from _values(f"{prefix}{name}", value, _identity)


def _flat(prefix: str, setting: Setting) -> Iterator[tuple[str, Scalar]]:
    for name, value, _ in setting.settings():
        yield from _values(f"{prefix}{name}", value, _flat)
    for name, digest in (isinstance(setting, Use) and setting.checksums) or ():
        yield f"{prefix}{name}.sha256", digest


def _values(
    name: str, value: Any, inside: Callable[[str, Setting], Iterator[tuple[str, Scalar]]]
) -> Iterator[tuple[str, Scalar]]:
    match value:
        case Trial():
            yield name, value.id
        case Use():
            yield name, value.name
            yield from inside(f"{name}.", value)
        case Record():
            yield from inside(f"{name}.", value)
        case (Use(), *_):
            for i, item in enumerate(value):
                yield from _values(f"{name}.{i}", item, inside)
        case tuple():
            yield name, json.dumps(value)
        case _:
            yield name, value


def _set(owner: Any, values: Mapping[tuple[str, ...], Any], kind: Any = None) -> Any:
    """`owner` with the settings at these paths changed at once, so that they are checked together.

    `kind` is the annotation of the setting that `owner` itself is.
    """
    if isinstance(owner, tuple):
        old: dict[str, Any] = {str(i): item for i, item in enumerate(owner)}
        kinds = dict.fromkeys(old, get_args(kind)[0])
        what = "entry"
    elif isinstance(owner, Record | Use):
        old = {name: value for name, value, _ in owner.settings()}
        kinds = _kinds(owner)
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
            new[name] = _set(new[name], inside, kinds[name])
    return tuple({**old, **new}.values()) if isinstance(owner, tuple) else owner.but(**new)


def _kinds(owner: Setting) -> dict[str, Any]:
    """The annotation of each setting."""
    if isinstance(owner, Use):
        return {name: keyword.annotation for name, keyword in keywords_of(owner.part).items()}
    return get_type_hints(type(owner), include_extras=True)


def _read(kind: Any, value: Any) -> Any:
    """The value that a text of the command line stands for; what is no text stands for itself."""
    if not isinstance(value, str):
        return value
    base = _base(kind)
    try:
        if base is not None:
            return _use(base, ast.parse(value, mode="eval").body)
        if get_origin(kind) is tuple and (base := _base(get_args(kind)[0])):
            entries = ast.parse(value, mode="eval").body
            return tuple(_use(base, entry) for entry in getattr(entries, "elts", [entries]))
        literal = ast.literal_eval(value)
        return value if kind is str and not isinstance(literal, str) else literal  # a folder 2012
    except Invalid:
        raise
    except (ValueError, SyntaxError):
        if base is None:
            return value
        valid = "a class with its settings, like Smooth or Smooth(epsilon=0.2)"
        raise Invalid(f"{base.__name__.lower()} = {value!r}: must be {valid}") from None


def _base(kind: Any) -> type | None:
    """The class that a setting's Use must be of, or None for another kind of setting."""
    return next((extra.kind for extra in get_args(kind) if isinstance(extra, Of)), None)


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
    settings = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
    return Use(classes[call.func.id], **settings)
