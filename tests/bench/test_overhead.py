import json
import os
from pathlib import Path

import pytest
from overhead import Span, at_once, efficiency, end, spans, tail

# Two places: both are taken for ten seconds, then one for ten more.
TRIALS = [Span(100, 110, 9), Span(100, 110, 9), Span(110, 120, 8)]


def test_a_trial_that_follows_another_does_not_run_beside_it() -> None:
    assert at_once(TRIALS) == 2


def test_efficiency_is_training_over_wall_time_times_places() -> None:
    assert efficiency(TRIALS, end(TRIALS)) == pytest.approx((9 + 9 + 8) / (2 * 20))


def test_without_the_tail_an_empty_place_is_not_counted() -> None:
    assert tail(TRIALS) == 110
    assert efficiency(TRIALS, tail(TRIALS)) == pytest.approx((9 + 9) / (2 * 10))


def test_a_trial_counts_by_its_share_before_the_tail() -> None:
    trials = [Span(0, 10, 10), Span(0, 20, 20)]
    assert efficiency(trials, tail(trials)) == pytest.approx((10 + 20 / 2) / (2 * 10))


def test_spans_are_read_from_the_storage(tmp_path: Path) -> None:
    for name, result in (("a", {"ended": 107.5, "seconds": 7.0}), ("b", None)):
        folder = tmp_path / "trials" / name
        folder.mkdir(parents=True)
        (folder / "trial.json").write_text("{}")
        os.utime(folder / "trial.json", (100, 100))
        if result:
            (folder / "result.json").write_text(json.dumps(result))
    assert spans(tmp_path) == [Span(100, 107.5, 7.0)]
