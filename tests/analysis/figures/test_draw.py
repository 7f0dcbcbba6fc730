from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures import draw as figures
from analysis.figures import effects
from analysis.figures import style as drawing
from analysis.plan import Cell
from study.grids.grid import percent
from study.grids.lay_out import lay_out
from tests.analysis.worlds import World, numbers, small_world


def drawn(world: World, rule: str = "last") -> dict[str, Figure]:
    return figures.draw(world.plan, world.runs(), world.histories(), world.soft(), {}, {}, rule)


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def panels(figure: Figure) -> list[tuple[Axes, list[str]]]:
    """The panels of effects, each with the labels of the legend below it."""
    below = [ax.get_legend() for ax in figure.axes[1::2]]
    labels = [[text.get_text() for text in legend.get_texts()] for legend in below if legend]
    return list(zip(figure.axes[::2], labels, strict=True))


def noise() -> World:
    """The table of nine methods at five rates of wrong labels, two finished seeds a cell."""
    plan, _ = lay_out("ols_noise", "demo", 2, (), lambda trial: (trial, trial.id))
    one = small_world().past["a0"]
    return World(plan, dict.fromkeys(plan.trials(), one))


def points(ax: Axes, line: int) -> list[list[float]]:
    return np.asarray(ax.get_lines()[line].get_xydata()).tolist()


def test_all_figures_are_drawn_and_marked_as_demo(world: World) -> None:
    found = drawn(world)
    assert list(found) == ["learning_curves", "effects_test_accuracy", "soft_labels"]
    assert all("DEMO SCALE" in figure.get_suptitle() for figure in found.values())
    assert plt.get_fignums() == []


def test_at_paper_scale_nothing_is_marked(world: World) -> None:
    found = drawn(world.planned(scale="paper"))
    assert {figure.get_suptitle() for figure in found.values()} == {"A small ablation"}


def test_learning_curves_are_means_and_rows_of_the_same_trials_are_one_line(world: World) -> None:
    figure = drawn(world)["learning_curves"]
    assert legend(figure) == ["only CE", "T 2, beta 1", "T 5, beta 1", "T 2, beta 0.1"]
    train, validation = figure.axes
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["training", "validation"]
    assert points(train, 0) == pytest.approx(np.array([[1, 0.78], [2, 0.8], [3, 0.82], [4, 0.84]]))
    assert points(validation, 0)[2] == pytest.approx([3, 0.82])
    assert len(train.collections) == 4  # the bands


def test_the_axis_says_each_accuracy_as_it_is(world: World) -> None:
    figure = drawn(world)["learning_curves"]
    figure.axes[0].set_ylim(0.05, 0.225)  # which has ticks at halves of a per cent
    figure.draw_without_rendering()
    axis = figure.axes[0].yaxis
    said = [float(tick.label1.get_text().rstrip("%")) / 100 for tick in axis.get_major_ticks()]
    assert said == pytest.approx(axis.get_ticklocs())
    assert len(said) > 2


def test_the_fit_of_wrong_labels_is_drawn_of_columns_that_have_some(world: World) -> None:
    noisy = [{**epoch, "train.wrong_label_error": 0.9} for epoch in world.past["a0"].history]
    assert "wrong_labels" not in drawn(world)
    figure = drawn(world.but("a0", history=noisy))["wrong_labels"]
    assert points(figure.axes[0], 0) == [[epoch, 0.9] for epoch in range(1, 5)]
    falling = [{**e, "train.wrong_label_error": 1 - 0.2 * e["epoch"]} for e in noisy]
    figure = drawn(world.but("a0", history=falling))["wrong_labels"]
    assert figure.axes[0].get_ylim()[1] > 0.8  # that of the first epoch


def test_a_line_is_of_the_finished_seeds_and_says_how_many(world: World) -> None:
    world = world.but("a0", status="failed", reason="bad").but("a1", status="running")
    figure = drawn(world)["learning_curves"]
    assert legend(figure)[0] == "only CE (1 of 3 seeds)"
    assert points(figure.axes[1], 0)[2] == pytest.approx([3, 0.84])


def test_running_seeds_are_drawn_as_far_as_all_have_come(world: World) -> None:
    world = world.but("a0", status="running").but("a1", status="running").without("a2")
    world = world.but("a1", history=world.past["a1"].history[:2])
    figure = drawn(world)["learning_curves"]
    assert legend(figure)[0] == "only CE (2 of 3 seeds, running)"
    assert points(figure.axes[0], 0) == pytest.approx(np.array([[1, 0.77], [2, 0.79]]))


def test_a_trial_that_has_begun_without_an_epoch_is_not_drawn(world: World) -> None:
    world = world.but("a0", status="running", history=[]).without("a1", "a2")
    assert legend(drawn(world)["learning_curves"])[0] == "T 2, beta 1"


def test_without_validation_images_the_test_curve_is_drawn(world: World) -> None:
    for trial_id, past in world.past.items():
        epochs = [{k: v for k, v in e.items() if k != "validation.accuracy"} for e in past.history]
        world = world.but(trial_id, history=epochs)
    titles = [ax.get_title(loc="left") for ax in drawn(world)["learning_curves"].axes]
    assert titles == ["training", "test"]


def test_a_table_of_several_columns_has_curves_for_each(world: World) -> None:
    first, second, *_ = world.plan.cells
    metric = world.plan.columns["accuracy"]
    cells = (replace(first, column="CE"), replace(second, column="KESL +"))
    world = world.planned(cells=cells, columns={"CE": metric, "KESL +": metric}, baseline="CE")
    found = drawn(world)
    assert list(found) == ["learning_curves_1_ce", "learning_curves_2_kesl", "soft_labels"]
    assert found["learning_curves_2_kesl"].get_suptitle() == "A small ablation: KESL + – DEMO SCALE"


def test_sweeps_join_cells_that_differ_in_one_number_alone(world: World) -> None:
    found = effects.alone(world.plan.cells)
    assert list(found) == ["targets.temperature", "loss.beta"]
    [temperature], [beta] = found.values()
    assert temperature.values == (2.0, 5.0)
    assert [cell.row for cell in temperature.cells] == ["T 2, beta 1", "T 5, beta 1"]
    assert beta.values == (0.1, 1.0)


def test_effects_show_seeds_mean_and_baseline(world: World) -> None:
    (temperature, words), (beta, _) = panels(drawn(world)["effects_test_accuracy"])
    assert (temperature.get_xlabel(), beta.get_xlabel()) == ("targets.temperature", "loss.beta")
    assert temperature.get_ylabel() == "test accuracy (%)"
    assert points(temperature, 0) == pytest.approx(np.array([[2, 85], [5, 82]]))
    assert len(points(temperature, 1)) == 6
    assert temperature.get_lines()[2].get_ydata() == pytest.approx(np.array([82, 82]))
    assert words == ["beta 1", "only CE"]
    assert beta.get_xscale() == "log"


def test_a_tuned_row_is_not_among_the_effects(world: World) -> None:
    tuned = replace(turned(world.plan.cells[1], 7, **{"targets.temperature": 9}), tunes=("x",))
    cells = (*world.plan.cells, tuned)
    world.past.update({new: world.past[new[:-2]] for new in tuned.trials.values() if new})
    (temperature, _), _ = panels(drawn(world.planned(cells=cells))["effects_test_accuracy"])
    assert points(temperature, 0) == pytest.approx(np.array([[2, 85], [5, 82]]))


def test_settings_of_the_images_and_the_net_are_no_hyper_parameters(world: World) -> None:
    """At demo scale they are those of a stand-in: the turn of the digits, the width of the net."""
    first = world.plan.cells[0]
    for name in ("data.source.turn", "net.width", "seed"):
        cells = [turned(first, i, **{name: i}) for i in range(3)]
        assert effects.alone(cells) == {}
    assert effects.alone([turned(first, i, **{"recipe.lr": i}) for i in range(3)])


def turned(cell: Cell, i: int, **settings: float) -> Cell:
    """Another cell, with other settings."""
    ids: dict[str, str | None] = {seed: f"{old}-{i}" for seed, old in cell.trials.items()}
    return replace(cell, row=f"{cell.row}, {i}", trials=ids, settings={**cell.settings, **settings})


def test_without_wrong_labels_their_rate_is_0() -> None:
    found = effects.alone(noise().plan.cells)
    assert list(found) == ["data.corrupt.0.rate"]
    sweeps = found["data.corrupt.0.rate"]
    assert [one.values for one in sweeps] == [(0, 0.2, 0.4, 0.6, 0.8)] * 11
    assert all(one.cells[0].column == "0%" for one in sweeps)
    assert all(len({cell.row for cell in one.cells}) == 1 for one in sweeps)


def test_many_sweeps_are_told_apart_at_their_places() -> None:
    [(ax, words)] = panels(drawn(noise())["effects_test_error"])
    rows = "Hard label|Bootsoft|Boothard|SCE|L2RW (Ren et al.)|MW-Net|"
    rows += "Arazo et al.|PENCIL|Han et al.|Label smoothing|OLS"
    assert words == rows.split("|")
    lines = ax.get_lines()[::2]  # the others are seeds
    assert len({(str(line.get_color()), str(line.get_linestyle())) for line in lines}) == 11
    places = np.array([line.get_xdata() for line in lines])
    assert len(set(places[:, 1])) == 11
    assert places == pytest.approx(np.tile([0, 0.2, 0.4, 0.6, 0.8], (11, 1)), abs=0.02)


def test_a_legend_of_many_sweeps_leaves_the_panel_its_room() -> None:
    figure = drawn(noise())["effects_test_error"]
    figure.canvas.draw()
    ax, below = figure.axes
    legend = below.get_legend()
    assert legend
    assert ax.get_window_extent().height / figure.dpi > 1.8
    assert legend.get_window_extent().y1 < ax.xaxis.label.get_window_extent().y0
    caption = next(text for text in figure.texts if text.get_text() == figure.get_supxlabel())
    assert legend.get_window_extent().y0 > caption.get_window_extent().y1


def test_a_sweep_is_called_by_what_the_names_of_its_cells_share(world: World) -> None:
    def called(*sweeps: list[str]) -> list[str]:
        cells = [[replace(world.plan.cells[0], row=row) for row in rows] for rows in sweeps]
        made = [effects.Sweep(tuple(of), tuple(map(float, range(len(of))))) for of in cells]
        return effects.labels(made, world.plan)

    assert called(["only KL: T 16, beta 0", "T 16, beta 1"]) == ["T 16"]
    assert called(["alpha 0", "alpha 0.5", "alpha 1"]) == [""]
    assert called(["CE, 1", "CE, 2"], ["KESL, 1", "KESL, 2"]) == ["CE", "KESL"]
    assert called(["a", "b", "c"], ["d, 1", "d, 2"]) == ["a to c", "d, 1 to d, 2"]
    assert called(["a, x", "b, x"], ["c, x", "d, x"]) == ["a, x to b, x", "c, x to d, x"]


def test_a_single_sweep_whose_names_share_nothing_has_no_label(world: World) -> None:
    cells = [replace(cell, row=f"row {i}") for i, cell in enumerate(world.plan.cells[:3])]
    found = drawn(world.planned(cells=tuple(cells), baseline="row 0"))["effects_test_accuracy"]
    assert [words for _, words in panels(found)] == [["row 0"]]


def test_without_anything_recorded_there_are_no_figures() -> None:
    assert drawn(replace(small_world(), past={})) == {}


def test_without_a_finished_trial_there_are_learning_curves_only(world: World) -> None:
    for trial_id in world.past:
        world = world.but(trial_id, status="running")
    assert list(drawn(world)) == ["learning_curves"]


def test_failed_trials_alone_give_no_figures(world: World) -> None:
    for trial_id in world.past:
        world = world.but(trial_id, status="failed", reason="bad")
    assert drawn(world) == {}


def test_files_are_whole_and_the_same_each_time(world: World, tmp_path: Path) -> None:
    once, twice = tmp_path / "once", tmp_path / "twice"
    for folder in (once, twice):
        folder.mkdir()
        drawing.save(drawn(world), folder)
    names = sorted(path.name for path in once.iterdir())
    assert names == sorted(f"{n}.{k}" for n in drawn(world) for k in ("png", "svg"))
    for name in names:
        assert (once / name).read_bytes() == (twice / name).read_bytes()
    for path in once.glob("*.svg"):
        assert ElementTree.parse(path).getroot().tag == "{http://www.w3.org/2000/svg}svg"
    for path in once.glob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG")


def test_a_name_with_dollars_is_drawn_as_it_is(world: World, tmp_path: Path) -> None:
    first, *rest = world.plan.cells
    world = world.planned(cells=(replace(first, row="$5 to $\\frac{"), *rest))
    assert drawing.save(drawn(world), tmp_path)


def test_the_worlds_histories_have_no_time(world: World) -> None:
    assert not {"time", "seconds"} & numbers(world.past["a0"].history[0]).keys()


def test_columns_of_the_same_trials_have_their_curves_once_and_effects_of_their_own(
    world: World,
) -> None:
    metric = percent("accuracy")
    cells = [
        replace(cell, column=column, measure=label)
        for column, label in (("accuracy", ""), ("PGD", "Pgd-abc"))
        for cell in world.plan.cells
    ]
    columns = {**world.plan.columns, "PGD": metric}
    world = world.planned(columns=columns, cells=tuple(cells))
    runs = world.runs()
    runs["Pgd-abc/accuracy"] = runs["last/test.accuracy"] / 2
    found = figures.draw(world.plan, runs, world.histories(), world.soft(), {}, {}, "last")
    names = ["learning_curves_1_accuracy", "effects_test_accuracy", "effects_pgd_abc_accuracy"]
    assert list(found) == [*names, "soft_labels"]
    first = found["effects_pgd_abc_accuracy"].axes[0]
    assert first.get_ylabel() == "Pgd-abc accuracy (%)"
    assert points(first, 0) == pytest.approx(np.array([[2, 42.5], [5, 41]]))
    assert "of the final model" in found["effects_pgd_abc_accuracy"].get_supxlabel()
