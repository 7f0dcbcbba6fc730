"""The one line of an error."""

import pickle

import pytest

from trainables.settings import Invalid, Missing, printable, readable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Größe\u00a0\u3000 1", "Größe\u00a0\u3000 1"),
        ("caf\udce9", r"caf\xe9"),
        ("\ud800", r"\ud800"),
        ("two\nlines\t\x1b[31m", r"two\nlines\t\x1b[31m"),
        ("\u2028", r"\u2028"),
    ],
)
def test_what_cannot_be_printed_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(shown) == shown
    assert str(Invalid(text)) == shown
    shown.encode()


def test_an_error_of_a_worker_arrives_as_it_was_raised() -> None:
    copy = pickle.loads(pickle.dumps(Missing("a is missing")))
    assert (type(copy), str(copy)) == (Missing, "a is missing")


def test_what_the_system_does_not_let_be_read_is_named() -> None:
    with pytest.raises(
        Invalid, match=r"^/a cannot be read \(Permission denied\): must be readable$"
    ):
        with readable("/a"):
            raise PermissionError(13, "Permission denied")
    with pytest.raises(Invalid, match=r"^/a/b cannot be read \(no such thing\): must be readable$"):
        with readable("/a"):
            raise OSError(2, "no such thing", "/a/b")
