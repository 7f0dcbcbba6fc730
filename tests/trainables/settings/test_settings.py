from dataclasses import dataclass, field
from math import inf, nan
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.settings import (
    Count,
    Fraction,
    Interval,
    Invalid,
    Of,
    Positive,
    Record,
    Use,
    Weight,
    checked,
    checksum,
    classes_of,
    unknown,
)
from trainables.targets.smooth import Smooth
from trainables.targets.targets import Targets


class Tool:
    """What a Use may name."""


class Saw(Tool):
    """A setting of each kind, one of them without default; teeth and length go together."""

    def __init__(
        self,
        place: str,
        *,
        length: Positive,
        teeth: Count = 8,
        steel: Literal["soft", "hard"] = "hard",
        angles: tuple[float, ...] = (),
        owner: str | None = None,
    ) -> None:
        self.place, self.length, self.teeth = place, length, teeth

    @classmethod
    def check(cls, *, teeth: int, length: float, **_: object) -> None:
        if teeth > 10 * length:
            raise Invalid(f"Saw.teeth = {teeth}: must be at most {10 * length:g}")


class Manual(Tool):
    """Names a file, or none."""

    def __init__(self, *, file: str = "none", pages: int = 1) -> None: ...

    @classmethod
    def files(cls, folder: Path, *, file: str, **_: object) -> dict[str, Path]:
        return {} if file == "none" else {"file": folder / file}


@dataclass(frozen=True, kw_only=True)
class Box(Record):
    tool: Annotated[Use, Of(Tool)]
    weight: Weight = 1.0
    label: str = field(default="", compare=False)


def refusal(value: Any, annotation: Any) -> str:
    with pytest.raises(Invalid) as caught:
        checked("field", value, annotation)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Interval


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("[0, 1]", [0, 0.5, 1], [-0.1, 1.1]),
        ("(0, 1)", [0.1, 0.9], [0, 1]),
        ("[0, 1)", [0], [1]),
        ("(0, 1]", [1], [0]),
        ("[1, inf)", [1, 1e300], [0.9, inf]),
    ],
)
def test_a_square_bracket_has_its_end_and_a_round_one_has_not(
    text: str, inside: list[float], outside: list[float]
) -> None:
    assert [value in Interval(text) for value in inside] == [True] * len(inside)
    assert [value in Interval(text) for value in outside] == [False] * len(outside)


def test_no_interval_holds_what_is_not_a_number() -> None:
    assert nan not in Interval("[-inf, inf]")


# checked


@given(st.integers(-(2**53), 2**53))
def test_a_whole_number_becomes_a_float_where_one_is_wanted(value: int) -> None:
    number = checked("field", value, float)
    assert type(number) is float
    assert number == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_equal_numbers_have_equal_texts(value: float) -> None:
    assert repr(checked("field", value, float)) == repr(value + 0.0)  # 0.0 for -0.0


@pytest.mark.parametrize(
    ("value", "annotation", "words"),
    [
        (1.0, int, "a whole number"),
        ("1", int, "a whole number"),
        (True, int, "a whole number"),
        ("x", float, "a number"),
        (True, float, "a number"),
        (nan, float, "a finite number"),
        (inf, float, "a finite number"),
        (nan, Weight, "a finite number"),
        (1, str, "text"),
        (None, str, "text"),
        (1, bool, "True or False"),
        (Saw, Use, "a Use"),
        (1.0, tuple[float, ...], "a tuple"),
    ],
)
def test_a_value_of_another_kind_is_refused_in_words(
    value: Any, annotation: Any, words: str
) -> None:
    assert refusal(value, annotation) == f"field = {value!r}: must be {words}"


@pytest.mark.parametrize(
    ("value", "annotation", "interval"),
    [
        (1.5, Fraction, "[0, 1]"),
        (-1, Weight, "[0, inf)"),
        (0, Positive, "(0, inf)"),
        (0, Count, ""),
    ],
)
def test_a_value_out_of_range_is_refused_with_the_range(
    value: float, annotation: Any, interval: str
) -> None:
    assert "must lie in " + interval in refusal(value, annotation)


def test_a_choice_is_refused_with_the_choices() -> None:
    assert checked("field", "A", Literal["A", "B"]) == "A"
    assert refusal("C", Literal["A", "B"]) == "field = 'C': must be one of A, B"


def test_an_optional_value_may_be_none_and_is_checked_otherwise() -> None:
    assert checked("field", None, Count | None) is None
    assert checked("field", 3, Count | None) == 3
    assert refusal(0, Count | None) == "field = 0: must lie in [1, inf)"


def test_of_several_kinds_the_first_that_fits_is_taken() -> None:
    assert checked("field", "x", int | str) == "x"
    assert checked("field", 2, int | str) == 2
    assert refusal(None, int | str) == "field = None: must be text"


def test_a_list_becomes_a_tuple_and_its_entries_are_checked() -> None:
    assert checked("field", [1, 2.5], tuple[float, ...]) == (1.0, 2.5)
    assert checked("field", (), tuple[float, ...]) == ()
    assert refusal([1, -1], tuple[Weight, ...]) == "field.1 = -1.0: must lie in [0, inf)"


def test_a_tuple_of_fixed_length_has_that_length() -> None:
    assert checked("field", [1, "x"], tuple[int, str]) == (1, "x")
    assert refusal([1], tuple[int, str]) == "field = [1]: must have 2 entries"
    assert refusal([1, 2], tuple[int, str]) == "field.1 = 2: must be text"


def test_a_class_of_another_kind_is_refused() -> None:
    assert checked("field", Use(Saw, length=1), Annotated[Use, Of(Tool)]) == Use(Saw, length=1)
    assert refusal(Use(Smooth), Annotated[Use, Of(Tool)]) == "field = Smooth(): must use a Tool"


# Unknown names


def test_the_most_similar_names_come_first() -> None:
    error = unknown("field", "epslon", ["decay", "steps", "epsilon"])
    assert str(error) == "field 'epslon' is unknown: valid are epsilon, steps, decay"


def test_where_nothing_is_valid_it_says_so() -> None:
    assert str(unknown("field", "x", [])) == "field 'x' is unknown: valid are none"
    assert str(unknown("row", "x", ["T 2", "T 2, b"])).endswith("valid are 'T 2', 'T 2, b'")


# Records


def test_a_records_fields_are_checked_when_it_is_made() -> None:
    assert type(Box(tool=Use(Manual), weight=2).weight) is float
    with pytest.raises(Invalid, match=r"^box.weight = -1.0: must lie in \[0, inf\)$"):
        Box(tool=Use(Manual), weight=-1)


def test_but_changes_some_fields_and_checks_them() -> None:
    box = Box(tool=Use(Manual), weight=2, label="old")
    assert box.but(weight=3) == Box(tool=Use(Manual), weight=3)
    assert box.but(weight=3).label == "old"
    assert box.but() == box
    with pytest.raises(Invalid, match=r"box.weight = 'x': must be a number"):
        box.but(weight="x")


def test_but_refuses_an_unknown_field_with_the_nearest() -> None:
    with pytest.raises(Invalid, match=r"^box: field 'wieght' is unknown: valid are weight, "):
        Box(tool=Use(Manual)).but(wieght=1)


def test_fields_that_are_not_compared_are_no_settings() -> None:
    box = Box(tool=Use(Manual), label="x")
    assert [name for name, _, _ in box.settings()] == ["tool", "weight"]
    assert box == Box(tool=Use(Manual), label="y")


# Use


def test_what_is_left_out_is_at_its_default() -> None:
    saw = Use(Saw, length=1)
    assert saw == Use(Saw, length=1.0, teeth=8, steel="hard", angles=[], owner=None)
    assert hash(saw) == hash(Use(Saw, length=1.0, teeth=8))
    assert saw["teeth"] == 8
    assert saw != Use(Saw, length=2)


def test_an_unknown_keyword_is_refused_with_the_nearest() -> None:
    with pytest.raises(Invalid, match=r"^Saw: setting 'lenght' is unknown: valid are length, "):
        Use(Saw, lenght=1)


def test_what_comes_at_run_time_is_no_keyword() -> None:
    with pytest.raises(Invalid, match="setting 'place' is unknown"):
        Use(Saw, place="here", length=1)


def test_a_keyword_without_default_must_be_given() -> None:
    with pytest.raises(Invalid, match=r"^Saw.length is missing: it has no default$"):
        Use(Saw, teeth=3)


def test_a_keyword_of_a_wrong_kind_or_out_of_range_is_refused() -> None:
    with pytest.raises(Invalid, match=r"^Saw.length = 0.0: must lie in \(0, inf\)$"):
        Use(Saw, length=0)
    with pytest.raises(Invalid, match=r"^Saw.angles.0 = 'x': must be a number$"):
        Use(Saw, length=1, angles=("x",))


def test_a_class_may_check_keywords_together() -> None:
    assert Use(Saw, length=1, teeth=10)["teeth"] == 10
    with pytest.raises(Invalid, match=r"^Saw.teeth = 11: must be at most 10$"):
        Use(Saw, length=1, teeth=11)


def test_it_prints_what_differs_from_the_defaults() -> None:
    assert repr(Use(Saw, length=2, teeth=8)) == "Saw(length=2.0)"
    assert repr(Use(Manual)) == "Manual()"


def test_but_changes_some_keywords_and_checks_them() -> None:
    assert Use(Saw, length=2).but(teeth=3) == Use(Saw, length=2, teeth=3)
    with pytest.raises(Invalid, match=r"Saw.teeth = 0"):
        Use(Saw, length=2).but(teeth=0)


def test_it_builds_the_class_from_the_keywords_and_what_comes_at_run_time() -> None:
    saw = Use(Saw, length=2).build("here")
    assert (saw.place, saw.length, saw.teeth) == ("here", 2.0, 8)


def test_a_setting_cannot_be_changed_in_place() -> None:
    with pytest.raises(AttributeError):
        Use(Manual).part = Saw  # type: ignore[misc]
    with pytest.raises(AttributeError):
        Box(tool=Use(Manual)).weight = 3.0  # type: ignore[misc]


def test_a_class_without_a_counterpart_on_the_digits_is_its_own() -> None:
    assert Use(Manual, pages=3).demo() == Use(Manual, pages=3)


# Files


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"manual.txt is missing"):
        Use(Manual, file="manual.txt").resolved(tmp_path)


def test_resolved_has_the_checksum_of_each_file_by_keyword(tmp_path: Path) -> None:
    (tmp_path / "manual.txt").write_text("text")
    manual = Use(Manual, file="manual.txt")
    assert manual.checksums is None
    resolved = manual.resolved(tmp_path)
    assert resolved.checksums == (("file", checksum(tmp_path / "manual.txt")),)
    assert resolved != manual
    assert resolved.but(pages=2).checksums is None
    assert Use(Manual).resolved(tmp_path).checksums == ()


def test_a_class_that_names_no_files_is_resolved_as_it_is(tmp_path: Path) -> None:
    saw = Use(Saw, length=1)
    assert saw.files(tmp_path) == {}
    assert saw.resolved(tmp_path) == saw


# Finding classes


def test_every_finished_class_of_a_kind_is_found_and_the_kind_itself_is_not() -> None:
    found = classes_of(Targets)
    assert found["Smooth"] is Smooth
    assert "Targets" not in found
