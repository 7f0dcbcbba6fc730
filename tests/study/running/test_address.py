"""Address and token: what RAY_ADDRESS means, and which token files are refused."""

import os
from pathlib import Path

import pytest

from study.command import main
from study.running import address
from trainables.settings import Invalid

GRID = ["--grid", "kesl_ablation"]


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the token would be; nothing of it is set, and there is none."""
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / ".ray" / "auth_token"


def write(token: Path, mode: int) -> None:
    token.parent.mkdir(exist_ok=True)
    token.write_text("secret")
    token.chmod(mode)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize("where", [None, "auto", "10.0.0.1:6379"])
def test_a_token_that_is_asked_for_must_be_there_and_be_ours_alone(
    where: str | None, token: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    with pytest.raises(Invalid, match=r"auth_token: must be .* \(No such file or directory\)$"):
        address.check_token(where)
    for open_to_others in (0o644, 0o640, 0o604):
        write(token, open_to_others)
        with pytest.raises(Invalid, match=f": chmod 600 {token}$"):
            address.check_token(where)
    write(token, 0o600)
    address.check_token(where)
    token.write_text("\n")
    with pytest.raises(Invalid, match="it is empty"):
        address.check_token(where)
    token.write_bytes(b"\x7fELF\x80")
    with pytest.raises(Invalid, match=r"auth_token: must be .* \(it is not text\)$"):
        address.check_token(where)


def test_a_path_that_is_named_is_the_one_that_is_checked(
    token: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(token, 0o600)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "other"))
    with pytest.raises(Invalid, match=f"RAY_AUTH_TOKEN_PATH = {tmp_path}/other: must be"):
        address.check_token(None)


def test_a_token_in_the_environment_and_a_mode_without_token_need_no_file(
    token: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(token, 0o644)
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    address.check_token("auto")
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "secret")
    address.check_token("auto")


def test_a_token_that_ray_would_take_for_auto_must_be_ours_alone(token: Path) -> None:
    address.check_token("auto")
    write(token, 0o644)
    with pytest.raises(Invalid, match="chmod 600"):
        address.check_token("auto")


def test_a_new_cluster_here_gets_a_token_that_nobody_else_can_read(token: Path) -> None:
    before = os.umask(0o022)
    try:
        address.check_token(None)
    finally:
        os.umask(before)
    first = token.read_text()
    assert len(first) == 64
    assert mode(token) == 0o600
    token.chmod(0o644)  # as Ray leaves it
    address.check_token(None)
    assert mode(token) == 0o600
    assert token.read_text() == first


def test_the_command_says_so_in_one_line_before_anything_starts(
    token: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(token, 0o644)
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    assert main([*GRID, "--storage", str(tmp_path / "storage")]) == 2
    said = capsys.readouterr()
    assert said.err == (
        f"error: the token of RAY_AUTH_MODE=token = {token}: must be a file with the cluster's "
        f"token that only its owner can read: chmod 600 {token}\n"
    )
    assert list((tmp_path / "storage").iterdir()) == []
