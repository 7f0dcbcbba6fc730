"""Searches with the real Optuna over sqlite; what trials score is made up, none is trained."""

import math
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from torch import Tensor

from study.grid import Plan, changed, find, grids, lay_out
from study.search import (
    FIRST_SEED,
    REPEATS,
    SAMPLERS,
    Options,
    Search,
    literal,
    objective,
    open_storage,
    summary,
    tuned,
)
from study.space import KINDS, Shared, Space, branches, searches_of
from trainables.losses.distillation import Distillation
from trainables.losses.knowledge import KnowledgeLoss
from trainables.settings import Interval, Invalid, Suggest, Use
from trainables.storage import Storage
from trainables.targets.knowledge import Knowledge
from trainables.targets.self_distilled import SelfDistilled
from trainables.targets.smooth import Smooth
from trainables.targets.targets import Targets
from trainables.trial import Trial

Score = Callable[[Trial], float]


def ready(trial: Trial) -> tuple[Trial, str]:
    resolved = trial.resolved(Path("/nowhere"), {})
    return resolved, resolved.id


class Laboratory:
    """A folder with results and an Optuna database; counts what is trained."""

    def __init__(self, folder: Path, space: Space, score: Score) -> None:
        folder.mkdir(exist_ok=True)
        self.storage, self.space, self.score = Storage(folder), space, score
        self.url = f"sqlite:///{folder / 'optuna.db'}"
        self.trained: list[str] = []

    def search(self, points: int, **options: Any) -> Search:
        """As a newly started command opens it."""
        what = Shared(label="tuned: x", column="accuracy", rows=("x",), space=self.space)
        database = open_storage(self.url)
        given = Options(points, **options)
        return Search(what, given, "last", "study", database, self.storage, ready)

    def train(self, trial_id: str, trial: Trial) -> None:
        """Writes a result. A score that is not finite is a failure."""
        assert self.storage.trial(trial_id).read("result.json") is None
        value = self.score(trial)
        finished = math.isfinite(value)
        selected = {"last": {"validation.accuracy": value}} if finished else {}
        self.trained.append(trial_id)
        self.storage.trial(trial_id).write_json("result.json", {"selected": selected})

    def run(self, search: Search) -> Search:
        """To its end, one trial at a time."""
        while (taken := search.take()) is not None:
            self.train(*taken)
            search.ended(taken[0])
        assert search.over
        return search


def test_a_teacher_is_trained_once_and_before_its_students(trial: Trial, tmp_path: Path) -> None:
    taught = trial.but(targets=Use(SelfDistilled), loss=Use(Distillation))
    laboratory = Laboratory(tmp_path, Space(taught, KINDS["parts"]), lambda t: 0.5)
    search = laboratory.search(3, sampler="random", seeds=2)
    teachers = [search.take() for _ in range(2)]
    assert all(teachers)
    assert [t.targets.name for _, t in filter(None, teachers)] == ["OneHot", "OneHot"]
    assert search.take() is None  # the students wait
    assert all(search.reported(i) for i, _ in filter(None, teachers))
    for taken in filter(None, teachers):
        laboratory.train(*taken)
        search.ended(taken[0])
    laboratory.run(search)
    assert len(laboratory.trained) == len(set(laboratory.trained)) == 2 + 3 * 2
    assert set(search.asked) == set(laboratory.trained)


def test_a_student_of_a_teacher_that_is_lost_is_not_trained(trial: Trial, tmp_path: Path) -> None:
    taught = trial.but(targets=Use(SelfDistilled), loss=Use(Distillation))
    laboratory = Laboratory(tmp_path, Space(taught, KINDS["parts"]), lambda t: 0.5)
    search = laboratory.search(3, sampler="random")
    taken = search.take()
    assert taken
    search.ended(taken[0])
    assert search.lost == [taken[0]]
    assert search.take() is None


def points(search: Search) -> list[dict[str, Any]]:
    return search.points()


def score(trial: Trial) -> float:
    """Smooth, with its maximum inside the space."""
    epsilon = trial.targets["epsilon"]
    return 1 - (epsilon - 0.2) ** 2 - (math.log10(trial.recipe.lr) + 2) ** 2 / 10


@pytest.fixture
def smoothed(trial: Trial) -> Space:
    return Space(trial.but(targets=Use(Smooth)), KINDS["both"])


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_search_killed_at_any_moment_asks_the_same_points(
    sampler: str, smoothed: Space, tmp_path: Path
) -> None:
    whole = Laboratory(tmp_path / "whole", smoothed, score)
    broken = Laboratory(tmp_path / "broken", smoothed, score)
    undisturbed = whole.run(whole.search(14, sampler=sampler))
    chance = random.Random(0)
    search, kills = broken.search(14, sampler=sampler), 0
    while not search.over:
        taken = search.take()
        moments = ["asked", "trained", "told"]
        killed_when = chance.choice(moments) if chance.random() < 0.5 else None
        if taken and killed_when != "asked":
            broken.train(*taken)
            if killed_when != "trained":
                search.ended(taken[0])
        if killed_when:
            search, kills = broken.search(14, sampler=sampler), kills + 1
    assert kills >= 5
    assert points(search) == points(undisturbed)
    assert search.winner() == undisturbed.winner()
    assert broken.trained == whole.trained
    assert len({str(point["params"]) for point in points(search)}) == 14


def test_gp_searches_too(smoothed: Space, tmp_path: Path) -> None:
    lab = Laboratory(tmp_path, smoothed, score)
    assert lab.run(lab.search(12, sampler="gp")).told == 12


def test_a_finished_search_is_read_and_nothing_is_trained(smoothed: Space, tmp_path: Path) -> None:
    lab = Laboratory(tmp_path, smoothed, score)
    first = lab.run(lab.search(4))
    again = lab.search(4)
    assert not again.pending()
    assert again.winner() == first.winner()
    assert again.asked == lab.trained


def test_a_larger_budget_goes_on_and_a_smaller_one_sees_its_own_points(
    smoothed: Space, tmp_path: Path
) -> None:
    lab = Laboratory(tmp_path, smoothed, score)
    few = points(lab.run(lab.search(3)))
    more = lab.run(lab.search(6))
    assert points(more)[:3] == few
    assert (more.spent, len(lab.trained)) == (6, 6)
    assert points(lab.run(lab.search(3))) == few


def test_results_outlive_a_lost_database(smoothed: Space, tmp_path: Path) -> None:
    lab = Laboratory(tmp_path, smoothed, score)
    first = points(lab.run(lab.search(4)))
    (tmp_path / "optuna.db").unlink()
    assert points(lab.run(lab.search(4))) == first
    assert len(lab.trained) == 4


def test_a_point_has_the_mean_of_its_seeds(smoothed: Space, tmp_path: Path) -> None:
    lab = Laboratory(tmp_path, smoothed, lambda trial: 0.1 * (trial.seed - FIRST_SEED))
    search = lab.run(lab.search(2, seeds=3))
    assert [point["value"] for point in points(search)] == pytest.approx([0.1, 0.1])
    assert len(lab.trained) == 6
    assert search.winner() == search.what.space.at(_first(search))


def _first(search: Search) -> Suggest:
    """The first point's values: the earliest of equals is the best."""
    from optuna.trial import FixedTrial

    return FixedTrial(points(search)[0]["params"])


def test_searched_trials_have_no_test_images_and_seeds_of_their_own(
    smoothed: Space, tmp_path: Path
) -> None:
    all_data = smoothed.trial.but(data=smoothed.trial.data.but(validation=0.0))
    lab = Laboratory(tmp_path, replace(smoothed, trial=all_data), score)
    search = lab.search(1, seeds=2)
    found = []
    while (taken := search.take()) is not None:
        lab.train(*taken)
        search.ended(taken[0])
        found.append(taken[1])
    assert [trial.seed for trial in found] == [FIRST_SEED, FIRST_SEED + 1]
    assert {(t.data.test, t.data.validation) for t in found} == {(False, 0.1)}
    assert search.winner().data == all_data.data  # the paper's full split, with test images


def test_there_is_no_winner_before_the_end(smoothed: Space, tmp_path: Path) -> None:
    lab = Laboratory(tmp_path, smoothed, score)
    search = lab.search(2)
    for _ in range(2):
        with pytest.raises(AssertionError, match="there is none yet"):
            search.winner()
        assert tuned(plan_of("kesl_ablation"), [search], 3, ready)[1] == {}
        taken = search.take()
        assert taken
        lab.train(*taken)
        search.ended(taken[0])
    assert search.winner().data.test


def test_several_at_once_are_all_trained_once(smoothed: Space, tmp_path: Path) -> None:
    lab = Laboratory(tmp_path, smoothed, score)
    search = lab.search(6)
    running = []
    while len(lab.trained) < 6:
        while len(running) < 3 and (taken := search.take()) is not None:
            running.append(taken)
        trial_id, trial = running.pop()  # the newest ends first
        lab.train(trial_id, trial)
        search.ended(trial_id)
    assert search.over
    assert len(set(lab.trained)) == 6


def test_a_trial_without_a_result_stops_its_search_until_the_next_command(
    smoothed: Space, tmp_path: Path
) -> None:
    lab = Laboratory(tmp_path, smoothed, score)
    search = lab.search(3)
    taken = search.take()
    assert taken
    search.ended(taken[0])
    assert search.lost == [taken[0]]
    assert search.take() is None
    assert not search.over
    assert lab.run(lab.search(3)).asked[0] == taken[0]


def test_a_failed_point_is_told_as_failed_and_counts(smoothed: Space, tmp_path: Path) -> None:
    lab = Laboratory(tmp_path, smoothed, lambda t: score(t) if t.recipe.lr < 0.01 else math.nan)
    search = lab.run(lab.search(12))
    states = {"complete" if p["params"]["recipe.lr"] < 0.01 else "failed" for p in points(search)}
    assert states == {"complete", "failed"}
    assert {(p["state"], p["params"]["recipe.lr"] < 0.01) for p in points(search)} == {
        ("complete", True),
        ("fail", False),
    }
    assert search.spent == 12
    assert search.winner().recipe.lr < 0.01


def test_of_points_that_all_failed_none_is_the_winner(smoothed: Space, tmp_path: Path) -> None:
    lab = Laboratory(tmp_path, smoothed, lambda trial: math.nan)
    search = lab.run(lab.search(3))
    assert search.best is None
    assert summary(search)["literal"] is None
    plan = plan_of("kesl_ablation")
    assert tuned(plan, [search], 3, ready) == (plan, {})


class Periodic(Targets):
    """Every kind of parameter, some only under a condition."""

    def __init__(
        self,
        task: Any,
        *,
        mode: Literal["off", "steps", "mix"] = "off",
        period: Annotated[int, Interval("[1, inf)")] = 7,
        share: Annotated[float, Interval("[0, 1]")] = 0.25,
    ) -> None:
        super().__init__(task)

    def forward(self, batch: Any, out: Any) -> Tensor:
        raise NotImplementedError

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        settings: dict[str, object] = {
            "mode": trial.suggest_categorical("mode", ("off", "steps", "mix"))
        }
        if settings["mode"] == "steps":
            settings["period"] = trial.suggest_int("period", 1, 64, log=True)
        if settings["mode"] == "mix":
            settings["share"] = trial.suggest_float("share", 0, 1, step=0.25)
        return settings


@pytest.mark.parametrize("sampler", list(SAMPLERS))
def test_conditional_categorical_whole_and_log_parameters(
    sampler: str, trial: Trial, tmp_path: Path
) -> None:
    space = Space(trial.but(targets=Use(Periodic, period=3, share=0.5)), KINDS["parts"])
    assert space.parameters == {
        "targets.mode": "off | steps | mix",
        "targets.period": "1 to 64, step 1, log",
        "targets.share": "0 to 1, step 0.25",
    }
    lab = Laboratory(tmp_path, space, lambda trial: trial.targets["period"] / 64)
    search = lab.run(lab.search(16, sampler=sampler))
    for point in points(search):
        mode = point["params"]["targets.mode"]
        conditional = {"off": set(), "steps": {"targets.period"}, "mix": {"targets.share"}}
        assert set(point["params"]) == {"targets.mode", *conditional[mode]}
    best = search.winner().targets
    assert isinstance(best["period"], int)
    assert best["share"] == 0.25  # what a branch does not ask for is the default, not the row's


def test_a_repeated_point_is_told_its_value_and_twenty_end_the_search(
    trial: Trial, tmp_path: Path
) -> None:
    fixed = ("targets.period", "targets.share")
    space = Space(trial.but(targets=Use(Periodic)), KINDS["parts"], fixed)
    lab = Laboratory(tmp_path, space, lambda t: 0.9 if t.targets["mode"] == "mix" else math.nan)
    search = lab.run(lab.search(10, sampler="random"))
    assert len(lab.trained) == search.spent == 3
    assert search.exhausted
    newest = points(search)[-REPEATS:]
    for point in newest:
        original = points(search)[point["repeats"]]
        assert (point["state"], point["value"]) == (original["state"], original["value"])
        assert point["trials"] == original["trials"]
    assert points(lab.run(lab.search(10, sampler="random"))) == points(search)


def test_a_point_that_repeats_a_running_one_waits_for_it(trial: Trial, tmp_path: Path) -> None:
    fixed = ("targets.period", "targets.share")
    space = Space(trial.but(targets=Use(Periodic)), KINDS["parts"], fixed)
    lab = Laboratory(tmp_path, space, lambda trial: 0.5)
    search = lab.search(4, sampler="random")
    running = []
    while (taken := search.take()) is not None:
        running.append(taken)
    assert 1 <= len({trial_id for trial_id, _ in running}) == len(running) <= 3
    for trial_id, searched in running:
        lab.train(trial_id, searched)
        search.ended(trial_id)
    assert lab.run(search).exhausted


@pytest.mark.parametrize(
    ("space", "field"),
    [
        (lambda s: replace(s, fixed=("targets.epsilon",)), "space of targets.epsilon was 0.01 to"),
        (lambda s: replace(s, kinds=KINDS["recipe"]), "space of targets.epsilon was 0.01 to"),
        (
            lambda s: replace(s, trial=s.trial.but(recipe=s.trial.recipe.but(epochs=9))),
            "recipe.epochs was 3, is 9",
        ),
    ],
)
def test_a_stored_search_of_another_space_is_refused(
    space: Callable[[Space], Space], field: str, smoothed: Space, tmp_path: Path
) -> None:
    Laboratory(tmp_path, smoothed, score).search(3)
    with pytest.raises(Invalid) as raised:
        Laboratory(tmp_path, space(smoothed), score).search(3)
    assert field in str(raised.value)
    assert "another --search-seed or --search-storage starts a new one" in str(raised.value)


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("sqlite:////no/where/optuna.db", "unable to open database file"),
        ("optuna.db", "not a URL"),
        ("none+none://host/x", "Can't load plugin"),
        (f"sqlite:///{__file__}", "file is not a database"),
    ],
)
def test_a_database_that_cannot_be_opened_is_named(url: str, error: str) -> None:
    with pytest.raises(Invalid, match="--search-storage") as raised:
        open_storage(url)
    assert error in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_password_is_not_shown() -> None:
    with pytest.raises(Invalid) as raised:
        open_storage("none+none://me:secret@host/x")
    assert "secret" not in str(raised.value)


def test_rows_with_one_space_share_a_search() -> None:
    one, fixed, rest = searches_of("kesl_ablation", "demo", (), "both", ())
    assert one.rows == ("only CE",)
    assert one.label == "tuned: OneHot + CrossEntropy"
    assert fixed.label == "tuned: Knowledge + KnowledgeLoss(alpha=0)"
    assert "loss.alpha" not in fixed.space.parameters
    assert {explored.loss["alpha"] for explored in _explored(fixed.space)} == {0.0}
    assert len(rest.rows) == 7
    assert rest.label == "tuned: Knowledge + KnowledgeLoss"
    assert set(one.space.parameters) == {"recipe.lr", "recipe.weight_decay"}
    assert set(rest.space.parameters) - set(fixed.space.parameters) == {"loss.alpha"}


def _explored(space: Space) -> list[Trial]:
    return [trial for _, trial in branches(space.at)]  # type: ignore[arg-type,misc]


def test_every_cell_of_a_table_of_several_columns_is_tuned() -> None:
    found = searches_of("kesl_backbones", "demo", (), "both", ())
    rows = ("MobileNetV2", "ResNet-18", "ResNet-50")
    assert [what.label for what in found] == [f"tuned: {row}" for row in rows for _ in range(2)]
    assert [what.column for what in found] == ["Baseline", "KESL"] * 3


def test_only_picks_searches_and_what_is_set_stays() -> None:
    overrides = ("targets.temperature=5", "recipe.lr=0.02")
    (found,) = searches_of("kesl_ablation", "demo", overrides, "both", ["T 5, alpha 1, beta 1"])
    assert {"targets.temperature", "recipe.lr"}.isdisjoint(found.space.parameters)
    assert {(t.targets["temperature"], t.recipe.lr) for t in _explored(found.space)} == {(5, 0.02)}


def test_rows_that_offer_nothing_are_left_out_or_refused() -> None:
    assert len(searches_of("kesl_ablation", "demo", (), "parts", ())) == 2
    with pytest.raises(Invalid, match="'only CE' offers nothing to search in --search-space parts"):
        searches_of("kesl_ablation", "demo", (), "parts", ["only CE"])
    overrides = ("recipe.lr=0.1", "recipe.weight_decay=0")
    with pytest.raises(Invalid, match="offers nothing to search"):
        searches_of("kesl_ablation", "demo", overrides, "recipe", ())


@pytest.mark.parametrize("name", grids())
def test_what_makes_a_row_are_settings_of_it(name: str) -> None:
    grid = find(name)
    settings: dict[str, set[str]] = {}
    for row, _, trial, _ in grid.cells():
        settings.setdefault(row, set()).update(trial.flat() if trial else ())
    for row, fixed in grid.fixed.items():
        assert set(fixed) <= settings[row]


def test_the_best_configuration_is_a_literal_of_the_winner(tmp_path: Path) -> None:
    *_, what = searches_of("kesl_ablation", "demo", (), "both", ())
    lab = Laboratory(tmp_path, what.space, lambda trial: trial.loss["beta"])
    search = lab.run(lab.search(3))
    names = {"Use": Use, "Knowledge": Knowledge, "KnowledgeLoss": KnowledgeLoss}
    text = literal(search.winner(), what.space)
    for base in (t for row, _, t, _ in changed("kesl_ablation", "demo", ()) if row in what.rows):
        assert eval(text, {**names, "base": base}) == search.winner()


def plan_of(name: str) -> Plan:
    return lay_out(name, "demo", 2, (), ready)[0]


def test_winners_are_further_cells_with_the_tuned_baseline(tmp_path: Path) -> None:
    searches = []
    for i, what in enumerate(searches_of("kesl_ablation", "demo", (), "both", ())):
        lab = Laboratory(tmp_path / str(i), what.space, lambda trial: trial.recipe.lr)
        opened = lab.search(2, seeds=2)
        searches.append(lab.run(opened))
        opened.what = what
    plan, trials = tuned(plan_of("kesl_ablation"), searches, 2, ready)
    won = plan.cells[-3:]
    assert [cell.row for cell in won] == [search.what.label for search in searches]
    assert {cell.budget for cell in won} == {"2 x 2"}
    assert {seed for cell in won for seed in cell.trials} == {"0", "1"}
    assert sorted(filter(None, trials.values())) == sorted(
        i for cell in won for i in cell.trials.values() if i
    )
    assert plan.baseline_of(won[2]) == plan.baseline_of(won[1]) == won[0]
    assert plan.baseline_of(won[0]) is None
    assert Plan.from_json(plan.to_json()) == plan


def test_the_objective_follows_the_rule_of_the_table() -> None:
    plan = plan_of("kesl_ablation")
    assert objective(plan) == "best_validation"
    assert objective(replace(plan, scale="paper")) == "last"
    assert objective(replace(plan, scale="paper", selection="oracle")) == "best_validation"
