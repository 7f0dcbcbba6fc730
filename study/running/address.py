"""Address: which Ray cluster a command means, and the token that opens it."""

import os
import secrets
import stat
from pathlib import Path

from trainables.settings import Invalid

VALID = "host:port of a running Ray cluster, or auto for the one of this machine"
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def check_token(address: str | None) -> None:
    """Raises Invalid where the token that Ray will read is missing or can be read by others.

    Ray asks for one where RAY_AUTH_MODE is token, and takes one that is there for "auto". A new
    cluster on this machine is given one of its own where there is none, and what an earlier one
    left open to others is closed: Ray itself writes it for everybody to read.
    """
    mode = os.environ.get("RAY_AUTH_MODE", "").lower()
    if os.environ.get("RAY_AUTH_TOKEN") or (mode and mode != "token"):
        return
    named = os.environ.get("RAY_AUTH_TOKEN_PATH")
    path = Path(named) if named else Path.home() / ".ray" / "auth_token"
    if mode or named or (address == "auto" and path.exists()):
        _check_private(path, "RAY_AUTH_TOKEN_PATH" if named else "the token of RAY_AUTH_MODE=token")
    elif address is None:
        _make_private(path)


def _check_private(path: Path, name: str) -> None:
    valid = "a file with the cluster's token that only its owner can read"
    try:
        mode, empty = path.stat().st_mode, not path.read_text("utf-8").strip()
    except OSError as error:
        raise Invalid(f"{name} = {path}: must be {valid} ({error.strerror})") from None
    except UnicodeDecodeError:
        raise Invalid(f"{name} = {path}: must be {valid} (it is not text)") from None
    if empty:
        raise Invalid(f"{name} = {path}: must be {valid} (it is empty)")
    if mode & OTHERS:
        raise Invalid(f"{name} = {path}: must be {valid}: chmod 600 {path}")


def _make_private(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
    except FileExistsError:
        path.chmod(0o600)
