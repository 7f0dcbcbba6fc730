"""A storage that commit 67fa07f recorded is read, reported and gone on with as that commit did.

`tests/fixtures/recorded_before/README.md` says what the storage holds and how it was made.
"""

import json
from pathlib import Path

import pytest
from mlflow import MlflowClient

from study.command import main
from tests.study import recorded
from tests.study.command import database
from tests.study.recorded import COMMANDS, COMPLETE, UNFINISHED, expected, reading, training

RESUMED, NEW = "f3aba9a08e5a", "abf7ca161faf"  # of the search: its third point, and the fourth
MEASURED = "0761783cebf8"  # a trial of the study "measured"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return recorded.settled(recorded.unpacked(tmp_path))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_dry_run_finds_the_recorded_ids_states_and_measures(
    name: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*training(name, home), "--dry-run"]) == 0
    said, before = capsys.readouterr().out, expected(name, "dry_run.txt")
    assert recorded.cells(said) == recorded.cells(before)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_status_is_the_recorded_one(
    name: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*reading(name, home), "--status"]) == 0
    said, before = capsys.readouterr().out, expected(name, "status.txt")
    assert recorded.states(said) == recorded.states(before)


@pytest.mark.slow(minutes=6)
@pytest.mark.parametrize("name", [*UNFINISHED, "measured", "pruned"])
def test_the_report_has_the_recorded_table(
    name: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = recorded.tables(home)
    for table in before:
        table.unlink()
    assert main([*reading(name, home), "--report"]) == 0
    recorded.check_printed(capsys.readouterr().out, expected(name, "report.txt"))
    ((table, content),) = recorded.tables(home).items()
    recorded.check_rows(content, before[table])


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPLETE)
def test_the_command_of_a_complete_study_trains_nothing_and_makes_no_run(
    name: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files, runs = recorded.files(home), recorded.run_ids(home)
    assert main(training(name, home)) == (1 if name == "failed" else 0)
    recorded.check_printed(capsys.readouterr().out, expected(name, "report.txt"))
    assert recorded.files(home) == files
    assert recorded.run_ids(home) == runs


@pytest.mark.slow
def test_stopped_trials_go_on_from_their_checkpoints_whatever_their_method(home: Path) -> None:
    results, runs = recorded.files(home, "result.json"), recorded.run_ids(home)
    histories = recorded.stopped(home)
    assert main(training("interrupted", home)) == 0
    before = json.loads(expected("interrupted", "results.json"))
    assert len(before) == 8  # of four methods, with and without wrong labels
    for trial_id, result in before.items():
        recorded.check_result(recorded.result(home, trial_id), result, histories[trial_id])
    after = recorded.files(home, "result.json")
    assert after.items() >= results.items()
    assert after.keys() - results.keys() == {f"trials/{i}/result.json" for i in before}
    assert recorded.run_ids(home) == runs
    check_finished_once(home, *before)


@pytest.mark.slow
def test_a_search_goes_on_from_its_stored_points(home: Path) -> None:
    results, runs = recorded.files(home, "result.json"), recorded.run_ids(home)
    history = recorded.stopped(home)[RESUMED]
    assert main(training("searched", home)) == 0
    (path,) = home.glob("studies/kesl_sota*/report/searches.json")
    (search,), (before,) = recorded.read(path), json.loads(expected("searched", "searches.json"))
    assert (search["search"], search["best"]) == (before["search"], before["best"])
    assert search["points"][:2] == before["points"][:2]  # these two had a value
    for point, drawn in zip(search["points"], before["points"], strict=True):
        assert (point["params"], point["trials"]) == (drawn["params"], drawn["trials"])
    made = json.loads(expected("searched", "results.json"))
    recorded.check_length(recorded.result(home, RESUMED), made[RESUMED], history)
    recorded.check_length(recorded.result(home, NEW), made[NEW], [])
    right = json.loads(expected("searched", "corrected.json"))
    for epoch, values in zip(recorded.result(home, NEW)["history"], right, strict=False):
        recorded.check_values(epoch, values)
    resumed = (
        result["history"][len(history)]
        for result in (recorded.result(home, RESUMED), made[RESUMED])
    )
    now_trained, then = ({n: e[n] for n in ("train.loss", "train.accuracy")} for e in resumed)
    recorded.check_values(now_trained, then)
    after = recorded.files(home, "result.json")
    assert after.items() >= results.items()
    assert after.keys() - results.keys() == {f"trials/{i}/result.json" for i in (RESUMED, NEW)}
    now = recorded.run_ids(home)
    assert now == runs | {NEW: now[NEW]}
    check_finished_once(home, RESUMED, NEW)


def check_finished_once(home: Path, *trial_ids: str) -> None:
    """The runs of the trials are over and have each epoch once."""
    runs, client = recorded.runs(home), MlflowClient(database(home))
    for trial_id in trial_ids:
        run, epochs = runs[trial_id], len(recorded.result(home, trial_id)["history"])
        assert (run.info.status, run.data.tags["status"]) == ("FINISHED", "finished")
        points = client.get_metric_history(run.info.run_id, "train.loss")
        assert sorted(point.step for point in points) == [*range(1, epochs + 1)]


@pytest.mark.slow
def test_a_measure_that_lacks_is_computed_from_the_stored_weights(home: Path) -> None:
    (lacking,) = home.glob(f"trials/{MEASURED}/measure-Fgsm*.json")
    before, files, runs = recorded.read(lacking), recorded.files(home), recorded.run_ids(home)
    lacking.unlink()
    assert main(training("measured", home)) == 0
    measured, now = recorded.read(lacking), recorded.files(home)
    assert measured["settings"] == before["settings"]
    recorded.check_values(measured["values"], before["values"])
    name = lacking.relative_to(home).as_posix()
    assert now == files | {name: now[name]}
    assert recorded.run_ids(home) == runs


@pytest.mark.slow
@pytest.mark.parametrize("name", ["measured", "pruned"])
def test_a_moved_storage_is_read_and_written_inside_itself(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = recorded.unpacked(tmp_path)  # the tracker's database still says ORIGIN
    assert main([*reading(name, home), "--report"]) == 0
    recorded.check_printed(capsys.readouterr().out, expected(name, "report.txt"))
    files, runs = recorded.files(home), recorded.run_ids(home)
    assert main(training(name, home)) == 0
    recorded.check_printed(capsys.readouterr().out, expected(name, "report.txt"))
    assert (recorded.files(home), recorded.run_ids(home)) == (files, runs)
    assert not recorded.ORIGIN.exists()
