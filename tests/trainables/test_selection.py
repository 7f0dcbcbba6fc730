from collections.abc import Callable

import pytest

from trainables.selection import RULES, Epoch, best_validation, last, mean_of_last_5, oracle

HISTORY: list[Epoch] = [
    {"epoch": i + 1, "test.accuracy": test, "validation.accuracy": validation, "test.loss": loss}
    for i, (test, validation, loss) in enumerate(
        [
            (0.50, 0.40, 6.0),
            (0.70, 0.60, 5.0),  # the best validation accuracy, first of two
            (0.90, 0.50, 4.0),  # the best test accuracy, first of two
            (0.60, 0.60, 3.0),
            (0.90, 0.30, 2.0),
            (0.80, 0.50, 1.0),
        ]
    )
]


def test_last_is_the_last_epoch() -> None:
    assert last(HISTORY, "test.accuracy") == 0.80


def test_best_validation_never_looks_at_test_data() -> None:
    assert best_validation(HISTORY, "test.accuracy") == 0.70
    assert best_validation(HISTORY, "test.loss") == 5.0


def test_the_mean_is_over_five_epochs_or_as_many_as_there_are() -> None:
    assert mean_of_last_5(HISTORY, "test.accuracy") == pytest.approx(3.9 / 5)
    assert mean_of_last_5(HISTORY[:2], "test.accuracy") == pytest.approx(0.6)


def test_the_mean_is_over_the_epochs_that_have_the_metric() -> None:
    history: list[Epoch] = [
        {"epoch": 1, "test.pgd": 0.2},
        {"epoch": 2},
        {"epoch": 3, "test.pgd": 0.4},
    ]
    assert mean_of_last_5(history, "test.pgd") == pytest.approx(0.3)


def test_oracle_selects_on_test_data_the_earliest_of_equals() -> None:
    assert oracle(HISTORY, "test.accuracy") == 0.90
    assert oracle(HISTORY, "test.loss") == 4.0


@pytest.mark.parametrize("rule", RULES.values())
def test_a_metric_that_no_epoch_has_is_none(
    rule: Callable[[list[Epoch], str], float | None],
) -> None:
    assert rule(HISTORY, "train.entropy") is None
    assert rule([], "test.accuracy") is None


def test_without_validation_data_only_the_rule_that_needs_them_is_none() -> None:
    history: list[Epoch] = [{"epoch": 1, "test.accuracy": 0.5}]
    chosen = {name: rule(history, "test.accuracy") for name, rule in RULES.items()}
    assert chosen == {"last": 0.5, "best_validation": None, "mean_of_last_5": 0.5, "oracle": 0.5}


def test_without_test_data_the_oracle_is_none() -> None:
    history: list[Epoch] = [{"epoch": 1, "validation.accuracy": 0.5}]
    assert oracle(history, "validation.accuracy") is None
    assert best_validation(history, "validation.accuracy") == 0.5


def test_the_four_rules_are_listed_by_name() -> None:
    assert list(RULES) == ["last", "best_validation", "mean_of_last_5", "oracle"]
