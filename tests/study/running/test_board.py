"""What commands tell each other; without Ray, which the tests of shares have."""

import time

import pytest

from study.running.board import FORGOTTEN_SECONDS, Board


def test_a_command_that_is_not_heard_of_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    kept = Board()
    assert kept.tell("a", {"running": 1}) == {"a": {"running": 1}}
    now += FORGOTTEN_SECONDS - 1
    assert kept.tell("b", {}) == {"a": {"running": 1}, "b": {}}
    now += 2
    assert kept.tell("b", {"running": 2}) == {"b": {"running": 2}}
    kept.tell("c", {})
    kept.leave("b")
    assert kept.tell("c", {}) == {"c": {}}
