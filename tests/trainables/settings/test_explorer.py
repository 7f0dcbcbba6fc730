"""Every way through a `suggest`, worked by hand."""

from trainables.settings import Explorer, Suggest, branches


def suggest(trial: Suggest) -> dict[str, object]:
    kind = trial.suggest_categorical("kind", ("plain", "wide"))
    if kind == "plain":
        return {"kind": kind}
    return {"kind": kind, "width": trial.suggest_int("width", 1, 4, step=3)}


def test_each_option_is_taken_once_and_a_number_at_both_ends() -> None:
    assert [found for _, found in branches(suggest)] == [
        {"kind": "plain"},
        {"kind": "wide", "width": 1},
        {"kind": "wide", "width": 4},
    ]


def test_what_is_asked_is_kept_with_its_range_in_words() -> None:
    asked = [explorer.asked for explorer, _ in branches(suggest)]
    assert asked[0] == {"kind": "plain | wide"}
    assert asked[1] == {"kind": "plain | wide", "width": "1 to 4, step 3"}


def test_nothing_asked_is_one_way() -> None:
    assert [found for _, found in branches(lambda trial: {})] == [{}]


def test_a_range_says_its_scale_and_step() -> None:
    explorer = Explorer([1, 0])
    assert explorer.suggest_float("lr", 1e-3, 0.5, log=True) == 0.5
    assert explorer.suggest_float("share", 0, 1, step=0.25) == 0
    assert explorer.asked == {"lr": "0.001 to 0.5, log", "share": "0 to 1, step 0.25"}
