"""The status page, from what the tracker has."""

import time
from dataclasses import replace
from typing import Any

import pytest
from mlflow import MlflowClient
from pandas import DataFrame

from analysis import runs, status
from analysis.plan import Plan
from study.command import main
from tests.analysis.worlds import cell, record, small_world

NOW = 1_700_000_000.0


def plan(*ids: str) -> Plan:
    row = cell("T 2", {str(seed): i for seed, i in enumerate(ids)}, None, {})
    return small_world().planned(cells=(row, cell("T 2 (again)", row.trials, None, {}))).plan


def recorded(**rows: dict[str, Any]) -> DataFrame:
    common = {"host": "node-1", "recipe.epochs": 4, "stopped": False, "reason": ""}
    about = {i: {"run_id": f"run-{i}", "started": 1000 * (NOW - 500)} for i in rows}
    return DataFrame([common | about[i] | row for i, row in rows.items()], index=list(rows))


NONE = recorded()


def states(text: str) -> dict[str, str]:
    return {line.split()[0]: line.split()[1] for line in text.splitlines()[1:-1]}


def test_each_trial_is_a_line_once() -> None:
    frame = recorded(
        a={"status": "finished", "epoch": 4.0, "seconds": 40.0},
        b={"status": "running"},
    )
    said = status.text(plan("a", "b", "c"), frame, NONE, {"run-b": [NOW - 15, NOW - 5]}, NOW)
    assert said.splitlines() == [
        "trial  state     host    epoch  last epoch  seed  row",
        "a      finished  node-1  4/4    –           0     T 2",
        "b      running   node-1  2/4    0:05 ago    1     T 2",
        "c      new       –       –      –           2     T 2",
        "3 trials: 1 finished, 1 running, 1 new",
    ]


def test_a_trial_is_stalled_after_three_of_its_own_epochs_and_what_the_tracker_takes() -> None:
    frame = recorded(a={"status": "running"})
    for ago, state in ((39.0, "running"), (41.0, "stalled")):  # 3 x 10 s + 10 s
        ends = {"run-a": [NOW - ago - 20, NOW - ago - 10, NOW - ago]}
        assert states(status.text(plan("a"), frame, NONE, ends, NOW)) == {"a": state}


def test_a_trial_without_an_epoch_is_judged_by_its_cell() -> None:
    frame = recorded(
        a={"status": "finished", "epoch": 4.0, "seconds": 40.0},
        b={"status": "running", "begun": str(NOW - 39)},
        c={"status": "running", "begun": str(NOW - 41)},
    )
    said = states(status.text(plan("a", "b", "c"), frame, NONE, {}, NOW))
    assert said == {"a": "finished", "b": "running", "c": "stalled"}


def test_a_trial_that_was_started_again_is_not_stalled_by_the_time_between() -> None:
    frame = recorded(a={"status": "running", "begun": str(NOW - 5)})
    ends = {"run-a": [NOW - 320, NOW - 310, NOW - 300]}
    assert states(status.text(plan("a"), frame, NONE, ends, NOW)) == {"a": "running"}


def test_a_trial_whose_command_has_ended_is_stopped() -> None:
    frame = recorded(a={"status": "running", "stopped": True})
    assert states(status.text(plan("a"), frame, NONE, {}, NOW)) == {"a": "stopped"}


def test_of_trials_in_no_cell_those_that_run_have_a_line_and_all_are_counted() -> None:
    others = recorded(
        s={"status": "running", "seed": 1000},
        t={"status": "running", "seed": 1001, "begun": str(NOW - 500)},
        **{f"u{i}": {"status": "pruned", "epoch": 2.0} for i in range(300)},
        v={"status": "finished", "epoch": 4.0, "seconds": 40.0},
    )
    ends = {"run-s": [NOW - 15, NOW - 5]}
    said = status.text(plan("a"), NONE, others, ends, NOW).splitlines()
    assert said[1:] == [
        "a      new      –       –      –           0     T 2",
        "s      running  node-1  2/4    0:05 ago    1000  in no cell (searches, teachers)",
        "t      stalled  node-1  0/4    –           1001  in no cell (searches, teachers)",
        "1 trials: 1 new",
        "303 trials in no cell (searches, teachers): 1 running, 1 stalled, 300 pruned, 1 finished",
    ]


def test_a_trial_in_no_cell_without_an_epoch_is_judged_by_the_slowest_of_them() -> None:
    others = recorded(
        s={"status": "running", "begun": str(NOW - 100)},
        t={"status": "finished", "epoch": 4.0, "seconds": 4.0},
        u={"status": "finished", "epoch": 4.0, "seconds": 160.0},
    )
    for ago, state in ((129, "running"), (131, "stalled")):  # 3 x 40 s + 10 s
        others["begun"] = str(NOW - ago)
        (line,) = status.text(plan(), NONE, others, {}, NOW).splitlines()[1:-2]
        assert line.split()[:2] == ["s", state]


def test_the_running_ones_and_their_epochs_are_read_from_the_tracker(tracking_uri: str) -> None:
    client = MlflowClient(tracking_uri)
    found = client.get_experiment_by_name("label-studies")
    assert found is not None
    tags = {"kind": "trial", "trial_id": "status-a"}
    run: str = client.create_run(found.experiment_id, tags=tags).info.run_id
    for epoch, when in ((1, 10), (2, 20), (3, 30), (1, 100), (2, 110)):  # run again
        client.log_metric(run, "epoch", epoch, timestamp=1000 * when, step=epoch)
    frame = runs.trials(tracking_uri, ["status-a"])
    assert status.running(frame) == [run]
    assert runs.epoch_ends(tracking_uri, [run]) == {run: [100.0, 110.0]}
    client.set_terminated(run, "KILLED")
    assert runs.trials(tracking_uri, ["status-a"])["stopped"].all()


def test_the_command_shows_what_runs_in_no_cell(
    tracking_uri: str, capsys: pytest.CaptureFixture[str]
) -> None:
    world = small_world("ols_alpha.demo", "status-").planned(grid="ols_alpha")
    parent = record(tracking_uri, replace(world, past={}))
    client = MlflowClient(tracking_uri)
    tags = {"kind": "trial", "trial_id": "status-searched", "grid.ols_alpha": "ols_alpha.demo"}
    searched = client.create_run(client.get_run(parent).info.experiment_id, tags=tags)
    for epoch in (1, 2):
        when = int(1000 * time.time())
        client.log_metric(searched.info.run_id, "epoch", epoch, timestamp=when, step=epoch)
    assert main(["--grid", "ols_alpha", "--status", "--tracking-uri", tracking_uri]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == "1 trials in no cell (searches, teachers): 1 running"
    assert " ago " in said[-3]


def test_a_line_a_study_says_its_state_and_what_is_left() -> None:
    frame = recorded(
        a={"status": "finished", "seconds": 40.0},
        b={"status": "failed"},
        c={"status": "running"},
        d={"status": "running", "stopped": True},
        e={"status": "finished", "seconds": 20.0},
    )
    named = {name: replace(plan(*ids), study=name) for name, ids in STUDIES.items()}
    owners = {"busy": ["host a, process 1", "host b, process 2"], "new": ["host c, process 3"]}
    assert status.studies(list(named.values()), frame, owners).splitlines() == [
        "study  state    trials  time left  owner",
        "done   done     3/3     –",
        "idle   stopped  1/3     –",
        "busy   running  2/5     1:30       host a, process 1; host b, process 2",  # 3 x 30 s
        "new    running  –       –          host c, process 3",
    ]
    assert status.studies([], frame, {}) == "no study"


STUDIES = {"done": "abe", "idle": "adf", "busy": "aecdf"}
