"""One training run as a frozen record: data, net, the four parts of a method, recipe, seed."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, get_args

from trainables.data.samplers.sampler import Shuffle
from trainables.data.sources.source import names_of
from trainables.data.spec import DataSpec
from trainables.heads.head import Head
from trainables.heads.linear import Linear
from trainables.losses.cross_entropy import CrossEntropy
from trainables.losses.loss import Loss
from trainables.methods.method import Method
from trainables.nets.net import Net
from trainables.recipe import Recipe
from trainables.settings import (
    Interval,
    Invalid,
    Of,
    Record,
    Scalar,
    Setting,
    Use,
    assigned,
    flat,
    identity,
    map_settings,
)
from trainables.targets.one_hot import OneHot
from trainables.targets.targets import WORDS, Mass, Targets
from trainables.task import Changes

# Raised whenever a default or the numerics of training change, so that no old result stands in for
# a new one; the golden files of tests/study turn red when that is forgotten.
PROTOCOL = 1


@dataclass(frozen=True, kw_only=True)
class Trial(Record):
    """One training run. Trials with equal settings are one trial: one id, one result.

    Parts are held against each other: what targets are (`mass`) against what the loss `needs`,
    and what a method `replaces` against the parts that are written. A part's class may have
    `check_recipe(recipe, **settings)`, which raises Invalid for a recipe that it cannot be in.
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
            if hasattr(use.part, "check_recipe"):
                use.part.check_recipe(self.recipe, **dict(use.items))
        self._check_mass()
        self._check_distances()
        self._check_replaced()
        self._check_meta()

    def _check_mass(self) -> None:
        """Raises Invalid where the loss of the targets would be infinite or no number."""
        order, loss, targets = get_args(Mass), self.loss, self.targets
        needs = loss.part.needs(**dict(loss.items))
        has = targets.part.mass(**dict(targets.items))
        if order.index(has) < order.index(needs) or needs == "none" != has:
            wanted, why = WORDS[needs]
            raise Invalid(f"trial.targets = {targets!r}: must be {wanted}: {loss!r} {why}")
        if has == "none" and not self.head.part.emits_labels:
            valid = f"one that emits labels, as LabelDecoder: {targets!r} has its labels"
            raise Invalid(f"trial.head = {self.head!r}: must be {valid}")

    def _check_distances(self) -> None:
        """Raises Invalid where something needs distances that the head does not emit."""
        for use in (self.loss, self.method):
            if use.part.takes_distances(**dict(use.items)) and not self.head.part.emits_distances:
                valid = f"one that emits squared distances, as Prototypes: {use!r} takes them"
                raise Invalid(f"trial.head = {self.head!r}: must be {valid}")

    def _check_replaced(self) -> None:
        """Raises Invalid for a part in whose place the method has its own."""
        if self.method.part.sampling and self.recipe.sampling != Use(Shuffle):
            valid = f"Shuffle: {self.method.name} draws its batches by a rule of its own"
            raise Invalid(f"recipe.sampling = {self.recipe.sampling!r}: must be {valid}")
        plain = {name: default for name, _, default in self.settings()}
        for name in self.method.part.replaces:
            if (use := getattr(self, name)) != plain[name]:
                valid = f"{plain[name].name}: {self.method.name} has {name} of its own"
                raise Invalid(f"trial.{name} = {use!r}: must be {valid}")

    def _check_meta(self) -> None:
        """Raises Invalid where the method learns from clean images, and there are none."""
        if self.method.part.meta and not self.data.has_meta:
            valid = f"a number of images: {self.method.name} learns from clean ones"
            raise Invalid(f"dataspec.meta_per_class = None: must be {valid}")

    def _parts(self) -> tuple[Use, ...]:
        return self.net, self.head, self.targets, self.loss, self.method

    @property
    def id(self) -> str:
        """Twelve hex digits over PROTOCOL and the settings that differ from their defaults.

        A setting marked with `Before` enters where it differs from that value instead.
        Files enter by checksum, never by path. Raises Invalid while something is unresolved.
        """
        differing = {"protocol": PROTOCOL, **self.differing()}
        return hashlib.sha256(json.dumps(differing, sort_keys=True).encode()).hexdigest()[:12]

    def differing(self) -> dict[str, Scalar]:
        """The settings that enter the id, by their dotted names."""
        return dict(identity("", self))

    def flat(self) -> dict[str, Scalar]:
        """Every setting by its dotted name, defaults and checksums included: what is logged."""
        return dict(flat("", self))

    def resolved(self, folder: Path, formats: dict[str, str]) -> "Trial":
        """The same with "auto" replaced by `formats` and all files under `folder` checksummed.

        Raises Invalid where a file is missing.
        """

        names = partial(names_of, self.data.source, folder)

        def resolve(setting: Setting) -> Setting:
            return setting.resolved(folder, names) if isinstance(setting, Use) else setting

        return map_settings(self.with_formats(formats), resolve)

    def with_formats(self, formats: dict[str, str]) -> "Trial":
        """The same with each "auto" replaced by what `formats` has for it."""

        def settle(setting: Setting) -> Setting:
            if not isinstance(setting, Recipe):
                return setting
            open_ones = {k: v for k, v in formats.items() if getattr(setting, k) == "auto"}
            return setting.but(**open_ones) if open_ones else setting

        return map_settings(self, settle)

    def set(self, values: Mapping[str, Any]) -> "Trial":
        """The same with settings, by their dotted names, changed together.

        Text is read as a Python literal where it is one; for a part, as `Smooth(epsilon=0.2)`.
        Raises Invalid for a name that the trial has no setting of, and for a wrong value.
        """
        changed: Trial = assigned(self, {tuple(name.split(".")): v for name, v in values.items()})
        return changed

    def teachers(self) -> tuple["Trial", ...]:
        """The trials whose trained nets this one's parts need, as their `teacher(**settings)` says.

        They follow from the trial's own settings and seed, and so add nothing to its id.
        """
        asking = [use for use in self._parts() if hasattr(use.part, "teacher")]
        asked = [self.teacher(use.part.teacher(**dict(use.items))) for use in asking]
        return tuple(dict.fromkeys(asked))

    def teacher(self, changes: Changes) -> "Trial":
        """This trial with fields changed; None stands for a field's default."""
        plain = {name: default for name, _, default in self.settings()}
        return self.but(**{n: plain[n] if v is None else v for n, v in changes.items()})

    def uses(self) -> Iterator[Use]:
        """Every Use in the trial."""
        found: list[Use] = []

        def note(setting: Setting) -> Setting:
            if isinstance(setting, Use):
                found.append(setting)
            return setting

        map_settings(self, note)
        return iter(found)
