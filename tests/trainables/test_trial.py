import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainables.small import FORMATS, NOWHERE
from trainables import trial as trial_module
from trainables.data.augments.augment import Crop, Flip
from trainables.data.corruptions.symmetric import Symmetric
from trainables.data.imbalances.long_tail import LongTail
from trainables.data.samplers.sampler import Shuffle
from trainables.data.sources.digits import Digits
from trainables.data.spec import DataSpec
from trainables.heads.linear import Linear
from trainables.losses.cross_entropy import CrossEntropy
from trainables.losses.distillation import Distillation
from trainables.losses.knowledge import KnowledgeLoss
from trainables.losses.ldam import LDAM
from trainables.losses.loss import Loss
from trainables.losses.reweighted import Reweighted
from trainables.methods.method import Method
from trainables.nets.resnet import CifarResNet
from trainables.recipe import Recipe
from trainables.settings import Before, Interval, Invalid, Of, Record, Setting, Use, map_settings
from trainables.targets.knowledge import Knowledge
from trainables.targets.one_hot import OneHot
from trainables.targets.smooth import Smooth
from trainables.targets.targets import Targets
from trainables.trial import Trial

RECIPE = Recipe(epochs=10, milestones=(5, 8), augment=(Use(Crop, padding=1), Use(Flip)), **FORMATS)
TRIAL = Trial(data=DataSpec(source=Use(Digits)), net=Use(CifarResNet), recipe=RECIPE)


def refused(make: Callable[[], object]) -> str:
    with pytest.raises(Invalid) as caught:
        make()
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Identity

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "seed": st.integers(0, 3),
    "data.source.turn": st.integers(0, 15),
    "data.train_per_class": st.none() | st.integers(1, 3),
    "data.validation": st.sampled_from([-0.0, 0.0, 0.1, 0.2]),
    "data.test": st.booleans(),
    "data.corrupt": st.sampled_from([(), (Use(Symmetric),), [Use(Symmetric, rate=0.2)]]),
    "net": st.sampled_from([Use(CifarResNet), Use(CifarResNet, depth=8)]),
    "net.width": st.integers(8, 10),
    "targets": st.sampled_from([Use(OneHot), Use(Smooth), Use(Smooth, epsilon=0.2)]),
    "loss": st.sampled_from([Use(CrossEntropy), Use(Distillation), Use(Distillation, alpha=0)]),
    "recipe.epochs": st.integers(10, 12),
    "recipe.batch_size": st.sampled_from([64, 128]),
    "recipe.lr": st.sampled_from([0.1, 1e-300, 1e300]),
    "recipe.momentum": st.sampled_from([0.5, 0.9]),
    "recipe.nesterov": st.booleans(),
    "recipe.weight_decay": st.sampled_from([0, -0.0, 5e-4]),
    "recipe.milestones": st.sampled_from([(5, 8), (5.0, 8.0), [5], (8,)]),
    "recipe.gamma": st.sampled_from([0.1, 1]),
    "recipe.warmup_epochs": st.sampled_from([0, -0.0, 2]),
    "recipe.augment": st.sampled_from([(), (Use(Crop),), (Use(Flip),), (Use(Crop), Use(Flip))]),
    "recipe.precision": st.sampled_from(["float32", "bfloat16"]),
    "recipe.memory_format": st.sampled_from(["contiguous", "channels_last"]),
    "recipe.keep": st.integers(0, 2),
}

changes = st.fixed_dictionaries({}, optional=VALUES)


@given(changes, changes)
@settings(deadline=None, max_examples=200)
def test_two_trials_have_one_id_if_and_only_if_they_are_equal(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    left, right = TRIAL.set(one), TRIAL.set(other)
    assert (left.id == right.id) == (left == right)


@given(st.sampled_from(sorted(VALUES)), st.data())
@settings(deadline=None, max_examples=100)
def test_any_setting_that_is_changed_changes_the_id(name: str, data: st.DataObject) -> None:
    changed = TRIAL.set({name: data.draw(VALUES[name])})
    assert (changed.id == TRIAL.id) == (changed == TRIAL)


@given(changes)
@settings(deadline=None, max_examples=50)
def test_resolving_leaves_the_id_of_a_trial_without_files_alone(change: dict[str, Any]) -> None:
    trial = TRIAL.set(change)
    assert trial.resolved(NOWHERE, FORMATS).id == trial.id
    assert trial.resolved(NOWHERE, FORMATS) == trial


def test_an_id_is_twelve_hex_digits() -> None:
    assert len(TRIAL.id) == 12
    assert int(TRIAL.id, 16) > 0


def test_a_setting_written_at_its_default_is_the_same_as_one_left_out() -> None:
    spelled = TRIAL.but(head=Use(Linear), targets=Use(OneHot), seed=0)
    assert spelled.set({"recipe.lr": 0.1, "net.depth": 32}).id == TRIAL.id


def part(name: str, extra: bool) -> type[Targets]:
    """Two versions of a class: before and after it got another option."""

    class Old(Targets):
        def __init__(self, task: Any, *, epsilon: float = 0.1) -> None: ...

    class New(Targets):
        def __init__(self, task: Any, *, sharp: bool = False, epsilon: float = 0.1) -> None: ...

    cls = New if extra else Old
    cls.__name__ = name
    return cls


def test_a_new_option_of_a_part_leaves_old_ids_alone() -> None:
    before, after = part("Part", extra=False), part("Part", extra=True)
    for keywords in ({}, {"epsilon": 0.3}):
        old = TRIAL.but(targets=Use(before, **keywords)).id
        assert TRIAL.but(targets=Use(after, **keywords)).id == old
        assert TRIAL.but(targets=Use(after, sharp=True, **keywords)).id != old


def test_an_option_that_was_fixed_before_at_another_value_leaves_the_old_id_at_that_value() -> None:
    class Part(Targets):
        def __init__(
            self, task: Any, *, drop: Annotated[float, Interval("[0, 1)"), Before(0.0)] = 0.2
        ) -> None: ...

    class Old(Targets):
        def __init__(self, task: Any) -> None: ...

    Old.__name__ = "Part"
    old = TRIAL.but(targets=Use(Old)).id
    ids = [TRIAL.but(targets=Use(Part, **k)).id for k in ({}, {"drop": 0.2}, {"drop": 0.1})]
    assert TRIAL.but(targets=Use(Part, drop=0)).id == old
    assert ids[0] == ids[1]
    assert len({old, *ids}) == 3


def test_a_field_of_a_record_may_be_marked_so_too() -> None:
    @dataclass(frozen=True, kw_only=True)
    class NewRecipe(Recipe):
        clip: Annotated[float, Before(0.0)] = 1.0

    new = NewRecipe(**vars(RECIPE))
    assert TRIAL.but(recipe=new.but(clip=0.0)).id == TRIAL.id != TRIAL.but(recipe=new).id


def test_a_new_field_of_a_trial_leaves_old_ids_alone() -> None:
    @dataclass(frozen=True, kw_only=True)
    class NewTrial(Trial):
        regularizer: Annotated[Use, Of(Loss)] = Use(CrossEntropy)

    new = NewTrial(**vars(TRIAL))
    assert new.id == TRIAL.id
    assert new.resolved(NOWHERE, FORMATS).id == TRIAL.id
    assert new.but(regularizer=Use(KnowledgeLoss)).id != TRIAL.id


def test_the_protocol_is_part_of_the_id(monkeypatch: pytest.MonkeyPatch) -> None:
    old = TRIAL.id
    monkeypatch.setattr(trial_module, "PROTOCOL", trial_module.PROTOCOL + 1)
    assert TRIAL.id != old


def test_where_it_is_printed_and_what_is_assumed_are_no_part_of_the_id() -> None:
    recipe = RECIPE.but(paper="section 4", assumed=("lr",))
    assert TRIAL.but(recipe=recipe).id == TRIAL.id
    assert TRIAL.but(recipe=recipe).recipe.paper == "section 4"


def test_what_is_assumed_is_a_field_of_the_recipe() -> None:
    with pytest.raises(Invalid, match=r"recipe.assumed: field 'weightdecay' is unknown: valid are"):
        RECIPE.but(assumed=("weightdecay",))


def test_the_order_of_augmentations_counts() -> None:
    swapped = RECIPE.but(augment=RECIPE.augment[::-1])
    assert TRIAL.but(recipe=swapped).id != TRIAL.id


# What must be resolved before there is an id


def knowledge(folder: Path, hierarchy: str, text: str) -> Trial:
    (folder / hierarchy).parent.mkdir(exist_ok=True)
    (folder / hierarchy).write_text(text)
    trial = TRIAL.but(targets=Use(Knowledge, hierarchy=hierarchy))
    return trial.resolved(folder, FORMATS)


def test_a_file_enters_by_its_content_and_not_by_its_path(tmp_path: Path) -> None:
    one = knowledge(tmp_path, "tree.txt", "root a")
    moved = knowledge(tmp_path, "inner/tree.txt", "root a")
    other = knowledge(tmp_path, "other.txt", "root b")
    assert one.id == moved.id != other.id


def test_what_is_built_in_enters_by_its_name() -> None:
    strokes = TRIAL.but(targets=Use(Knowledge, hierarchy="strokes")).resolved(NOWHERE, FORMATS)
    assert strokes.id != TRIAL.id
    assert strokes.flat()["targets.hierarchy"] == "strokes"


def test_there_is_no_id_before_files_are_read() -> None:
    trial = TRIAL.but(targets=Use(Knowledge, hierarchy="tree.txt"))
    assert "targets = Knowledge(hierarchy='tree.txt'): the checksum" in refused(lambda: trial.id)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    trial = TRIAL.but(targets=Use(Knowledge, hierarchy="tree.txt"))
    assert f"{tmp_path}/tree.txt" in refused(lambda: trial.resolved(tmp_path, FORMATS))


def test_files_inside_augmentations_are_resolved_too(tmp_path: Path) -> None:
    class Stamped(Crop):
        def __init__(self, *, file: str) -> None: ...

        @classmethod
        def files(cls, folder: Path, *, file: str) -> dict[str, Path]:
            return {"file": folder / file}

    (tmp_path / "stamp").write_text("x")
    trial = TRIAL.but(recipe=RECIPE.but(augment=(Use(Stamped, file="stamp"),)))
    assert "recipe.augment.0 = Stamped" in refused(lambda: trial.id)
    assert trial.resolved(tmp_path, FORMATS).id


@pytest.mark.parametrize("name", ["precision", "memory_format"])
def test_there_is_no_id_while_a_format_is_auto(name: str) -> None:
    trial = TRIAL.set({f"recipe.{name}": "auto"})
    assert refused(lambda: trial.id) == f"recipe.{name} = auto: not resolved for a device yet"
    assert trial.with_formats(FORMATS).id == TRIAL.id


def test_formats_replace_auto_only() -> None:
    trial = TRIAL.set({"recipe.precision": "bfloat16", "recipe.memory_format": "auto"})
    recipe = trial.with_formats(FORMATS).recipe
    assert (recipe.precision, recipe.memory_format) == ("bfloat16", "contiguous")


# What is logged


def test_flat_has_every_setting_defaults_and_checksums_included(tmp_path: Path) -> None:
    flat = knowledge(tmp_path, "tree.txt", "root a").flat()
    expected = {
        "data.source": "Digits",
        "data.source.turn": 0,
        "data.train_per_class": None,
        "data.validation": 0.1,
        "data.test": True,
        "data.corrupt": "[]",
        "net": "CifarResNet",
        "net.depth": 32,
        "net.shortcut": "A",
        "net.width": 16,
        "net.block": "basic",
        "head": "Linear",
        "targets": "Knowledge",
        "targets.hierarchy": "tree.txt",
        "targets.decay": 0.5,
        "targets.temperature": 2.0,
        "loss": "CrossEntropy",
        "method": "Method",
        "recipe.epochs": 10,
        "recipe.milestones": "[5.0, 8.0]",
        "recipe.augment.0": "Crop",
        "recipe.augment.0.padding": 1,
        "recipe.augment.1": "Flip",
        "recipe.augment.1.probability": 0.5,
        "recipe.precision": "float32",
        "seed": 0,
    }
    assert expected.items() <= flat.items()
    assert len(str(flat["targets.hierarchy.sha256"])) == 16


@given(changes)
@settings(deadline=None, max_examples=25)
def test_flat_is_plain_values_that_set_makes_the_trial_of_again(change: dict[str, Any]) -> None:
    trial = TRIAL.set(change)
    flat = json.loads(json.dumps(trial.flat()))
    tuples = {"recipe.augment": trial.recipe.augment, "data.corrupt": trial.data.corrupt}
    texts = {k: str(v) for k, v in flat.items() if not k.startswith(tuple(tuples))}
    assert TRIAL.set({**texts, **tuples}) == trial


# Changes by name


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("seed", "3", 3),
        ("recipe.lr", "1e-2", 0.01),
        ("recipe.nesterov", "True", True),
        ("data.train_per_class", "None", None),
        ("data.train_per_class", "5", 5),
        ("recipe.milestones", "(3, 4)", (3.0, 4.0)),
        ("recipe.milestones", "[3]", (3.0,)),
        ("recipe.precision", "bfloat16", "bfloat16"),
        ("recipe.precision", "'bfloat16'", "bfloat16"),
        ("net", "CifarResNet", Use(CifarResNet)),
        ("targets", "Smooth()", Use(Smooth)),
        ("targets", "Smooth(epsilon=0.2)", Use(Smooth, epsilon=0.2)),
        ("recipe.augment", "()", ()),
        ("recipe.augment", "Flip", (Use(Flip),)),
        ("recipe.augment", "[Flip(probability=1), Crop]", (Use(Flip, probability=1), Use(Crop))),
        ("recipe.augment.1", "Crop(padding=2)", Use(Crop, padding=2)),
        ("recipe.augment.0.padding", "4", 4),
    ],
)
def test_text_is_read_as_the_setting_wants_it(name: str, text: str, value: Any) -> None:
    found: Any = TRIAL.set({name: text})
    for step in name.split("."):
        found = found[int(step)] if step.isdecimal() else _inside(found, step)
    assert found == value


def _inside(owner: Any, name: str) -> Any:
    return owner[name] if isinstance(owner, Use) else getattr(owner, name)


def test_a_text_that_looks_like_a_number_stays_text_where_text_is_wanted() -> None:
    trial = TRIAL.set({"targets": "Knowledge", "targets.hierarchy": "2012"})
    assert trial.targets["hierarchy"] == "2012"
    assert trial.set({"targets.hierarchy": "'my tree'"}).targets["hierarchy"] == "my tree"


def test_settings_are_changed_together_the_part_before_what_is_in_it() -> None:
    trial = TRIAL.set({"targets.epsilon": "0.3", "targets": "Smooth"})
    assert trial.targets == Use(Smooth, epsilon=0.3)
    shorter = TRIAL.set({"recipe.epochs": "4", "recipe.milestones": "(2, 3)"})
    assert (shorter.recipe.epochs, shorter.recipe.milestones) == (4, (2.0, 3.0))


def test_parts_inside_parts_and_parts_that_may_lack_are_read() -> None:
    inner = TRIAL.set({"loss": "Reweighted(loss=LDAM(scale=20), start=0.8)"}).loss
    assert inner == Use(Reweighted, loss=Use(LDAM, scale=20), start=0.8)
    tail = TRIAL.set({"data.imbalance": "LongTail(rho=10)"})
    assert tail.data.imbalance == Use(LongTail, rho=10)
    assert tail.set({"data.imbalance.rho": "5"}).data.imbalance == Use(LongTail, rho=5)
    assert tail.set({"data.imbalance": "None"}).data.imbalance is None


def test_values_that_are_no_text_stand_for_themselves() -> None:
    assert TRIAL.set({"targets": Use(Smooth), "seed": 2}).seed == 2
    assert TRIAL.set({}) == TRIAL


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("sede", "1", "trial: setting 'sede' is unknown: valid are seed, "),
        ("recipe.epoch", "1", "recipe: setting 'epoch' is unknown: valid are epochs, "),
        ("net.dept", "8", "CifarResNet: setting 'dept' is unknown: valid are depth, "),
        ("seed.x", "1", "0 has no setting 'x'"),
        ("", "1", "trial: setting '' is unknown: valid are data, "),
        ("targets", "Smoth", "targets 'Smoth' is unknown: valid are Smooth, "),
        ("targets", "Targets", "targets 'Targets' is unknown"),
        ("targets", "CrossEntropy", "targets 'CrossEntropy' is unknown"),
        ("targets", "Smooth(eps=1)", "Smooth: setting 'eps' is unknown: valid are epsilon"),
        (
            "targets",
            "Smooth(epsilon=0.1, epsilon=0.2)",
            "Smooth.epsilon = 0.1, 0.2: must be given once",
        ),
        ("targets", "Smooth(epsilon=2)", "Smooth.epsilon = 2.0: must lie in [0, 1]"),
        ("targets", "Smooth(0.2)", "targets = 'Smooth(0.2)': must be a class with its settings"),
        ("targets", "Smooth(", "targets = 'Smooth(': must be a class with its settings"),
        ("data.imbalance", "LongTail(rho=0.5)", "LongTail.rho = 0.5: must lie in [1, inf)"),
        ("data.imbalance", "Long", "imbalance 'Long' is unknown: valid are LongTail"),
        ("data.imbalance.rho", "2", "None has no setting 'rho'"),
        ("loss", "Reweighted(loss=LDAN)", "loss 'LDAN' is unknown: valid are LDAM, "),
        ("loss", "None", "loss = 'None': must be a class with its settings"),
        ("targets", "0.2", "targets = '0.2': must be a class with its settings"),
        ("recipe.augment", "Flp", "augment 'Flp' is unknown: valid are Flip, "),
        ("recipe.augment.2", "Flip", "entry '2' is unknown: valid are 0, 1"),
        ("recipe.augment.2.padding", "1", "entry '2' is unknown: valid are 0, 1"),
        ("recipe.augment.0.paddin", "1", "Crop: setting 'paddin' is unknown: valid are padding, "),
        ("recipe.lr", "fast", "recipe.lr = 'fast': must be a number"),
        ("recipe.lr", "0", "recipe.lr = 0.0: must lie in (0, inf)"),
        ("recipe.epochs", "1e2", "recipe.epochs = 100.0: must be a whole number"),
        ("recipe.schedule", "linear", "recipe.schedule = 'linear': must be one of step, cosine"),
        ("data.test", "no", "dataspec.test = 'no': must be True or False"),
        ("recipe", "fast", "trial.recipe = 'fast': must be a Recipe"),
    ],
)
def test_what_is_wrong_is_refused_in_one_line(name: str, text: str, message: str) -> None:
    assert refused(lambda: TRIAL.set({name: text})).startswith(message)


# Every setting inside


def test_map_settings_changes_inner_settings_first() -> None:
    seen: list[str] = []

    def note(setting: Setting) -> Setting:
        seen.append(setting.name if isinstance(setting, Use) else type(setting).__name__)
        return setting

    assert map_settings(TRIAL, note) == TRIAL
    assert seen.index("Digits") < seen.index("DataSpec")
    assert seen.index("Crop") < seen.index("Flip") < seen.index("Recipe")


def test_map_settings_puts_what_changed_in_its_place() -> None:
    def widen(setting: Setting) -> Setting:
        padded = isinstance(setting, Use) and setting.part is Crop
        return setting.but(padding=3) if padded else setting

    assert map_settings(TRIAL, widen) == TRIAL.set({"recipe.augment.0.padding": 3})


def test_uses_are_all_found_inside_tuples_too() -> None:
    parts = [Digits, CifarResNet, Linear, OneHot, CrossEntropy, Method, Crop, Flip, Shuffle]
    assert [use.part for use in TRIAL.uses()] == parts


# Settings that do not go together


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"milestones": (8, 5)}, "recipe.milestones = [8, 5]: must be ascending and below"),
        ({"milestones": (5, 5)}, "recipe.milestones = [5, 5]: must be ascending and below"),
        ({"milestones": (5, 10)}, "recipe.milestones = [5, 10]: must be ascending and below"),
        ({"milestones": ()}, "recipe.milestones = []: must be some epochs with schedule = step"),
        ({"schedule": "cosine"}, "recipe.milestones = [5, 8]: must be some epochs with"),
        ({"keep": 11}, "recipe.keep = 11: must be at most epochs = 10"),
        ({"nesterov": True, "momentum": 0}, "recipe.nesterov = True: must be False where"),
        ({"momentum": 1}, "recipe.momentum = 1.0: must lie in [0, 1)"),
        ({"augment": (Use(Smooth),)}, "recipe.augment.0 = Smooth(): must use a Augment"),
    ],
)
def test_a_recipe_that_contradicts_itself_is_refused(changes: dict[str, Any], message: str) -> None:
    assert refused(lambda: RECIPE.but(**changes)).startswith(message)


@pytest.mark.parametrize(
    ("share", "valid"), [(0.0, True), (0.99, True), (1.0, False), (-0.1, False)]
)
def test_a_share_below_one_is_held_out(share: float, valid: bool) -> None:
    if valid:
        assert DataSpec(source=Use(Digits), validation=share).validation == share
    else:
        message = refused(lambda: DataSpec(source=Use(Digits), validation=share))
        assert message.startswith(f"dataspec.validation = {share}: must lie in [0, 1)")


def test_a_part_stands_only_where_its_kind_is_wanted() -> None:
    assert refused(lambda: TRIAL.but(targets=Use(CrossEntropy))).startswith(
        "trial.targets = CrossEntropy(): must use a Targets"
    )


def test_data_net_and_recipe_have_no_default() -> None:
    with pytest.raises(TypeError, match="recipe"):
        Trial(data=TRIAL.data, net=TRIAL.net)  # type: ignore[call-arg]


def test_a_trial_is_a_record_that_can_be_a_key() -> None:
    assert isinstance(TRIAL, Record)
    assert {TRIAL: 1}[TRIAL.set({})] == 1
