"""A study from Python: what it gives, and that an interrupt loses nothing."""

import _thread
import threading
from pathlib import Path

import pytest
import ray

import study
from study import Request, report, run, status
from trainables.settings import Invalid
from trainables.storage.storage import Storage

SHORT = {
    "recipe.epochs": 4,
    "recipe.milestones": "()",
    "recipe.schedule": "constant",
    "net": "CifarResNet(depth=8, width=2)",
}


def request(folder: Path, **more: object) -> Request:
    given: dict[str, object] = {"seeds": 1, "changes": SHORT, "storage": str(folder)}
    return Request(grid="kesl_label_smoothing", **{**given, **more})  # type: ignore[arg-type]


def test_the_package_gives_what_a_notebook_needs_and_the_command_is_a_thin_layer() -> None:
    assert callable(study.run)  # a function, though there is a file study/run.py
    assert set(study.__all__) >= {"Request", "run", "status", "report", "tables"}
    assert "kesl_ablation" in study.tables()


def test_python_takes_text_and_dictionaries_as_the_command_does(tmp_path: Path) -> None:
    asked = request(tmp_path, data_dir="data", only="CE", changes={"recipe.lr": 0.5})
    assert asked.changes == ("recipe.lr=0.5",)
    assert asked.only == ("CE",)
    assert str(asked.storage) == str(tmp_path)
    assert asked.data_dir == Path.cwd() / "data"
    assert str(request(tmp_path, storage="~/x").storage) == str(Path.home() / "x")


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"scale": "large"}, "--scale 'large' is unknown: valid are demo, paper"),
        ({"seeds": 0}, "--seeds = 0: must be a whole number from 1 on"),
        ({"seeds": True}, "--seeds = True: must be a whole number"),
        ({"rerun": "some"}, "--rerun 'some' is unknown"),
        ({"price_per_hour": -1}, "--price-per-hour = -1: must be a number above 0"),
        ({"changes": {"data.test": False}}, "--set 'data.test=False': must be another field"),
    ],
)
def test_what_the_command_would_refuse_is_refused(
    wrong: dict[str, object], error: str, tmp_path: Path
) -> None:
    with pytest.raises(Invalid) as raised:
        request(tmp_path, **wrong)
    assert str(raised.value).startswith(error)


def test_an_unknown_grid_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"^--grid 'no' is unknown"):
        run(Request(grid="no", storage=Storage(tmp_path / "storage")))
    assert not (tmp_path / "storage").exists()
    assert not ray.is_initialized()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_an_interrupted_study_goes_on_and_gives_its_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = request(tmp_path)
    storage = asked.storage

    def interrupt() -> None:
        while not list(tmp_path.glob("trials/*/history.json")):
            if stop.wait(0.05):
                return
        _thread.interrupt_main()

    stop = threading.Event()
    watcher = threading.Thread(target=interrupt)
    watcher.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            run(asked)
    finally:
        stop.set()
        watcher.join()
    assert not ray.is_initialized()
    done = run(asked)
    assert not ray.is_initialized()
    assert done.complete
    assert done.lacks == ()
    assert done.report
    assert done.report.exists()
    assert list(done.table["n"]) == [1] * len(done.plan.cells)
    assert set(done.trials()["status"]) == {"finished"}
    assert "DEMO SCALE" in (done._repr_html_() or "")
    for trial_id in done.plan.trials():
        assert [row["epoch"] for row in storage.trial(trial_id).history()] == [1, 2, 3, 4]
    capsys.readouterr()
    again = run(asked)
    assert again.table.equals(done.table)
    assert "0 to be resumed, 0 new" in capsys.readouterr().out
    assert report(asked).table.equals(done.table)
    assert f"{len(done.plan.trials())} finished" in status(asked)
