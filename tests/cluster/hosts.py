"""Hosts on one machine: each with its own network, processes, name, home, /tmp/ray and sshd.

They are child processes in namespaces of their own; nothing is set up outside of these, so that
all of it is gone when they are killed.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

NETWORK = "10.77.0"
UNSHARE = ["unshare", "--net", "--pid", "--mount", "--uts", "--fork", "--kill-child"]

BOOT = """
set -e
hostname {name}
mkdir -p /run/sshd
mount -t tmpfs tmpfs /tmp/ray
mount -t tmpfs tmpfs /dev/shm
mount --bind {home}/passwd /etc/passwd
ip link set lo up
until ip link set eth0 up 2>/dev/null; do sleep 0.05; done
ip address add {address}/24 dev eth0
ip route add default via {network}.254
exec {serve}
"""

SSHD = """
ListenAddress {address}
HostKey {keys}/host
AuthorizedKeysFile {keys}/user.pub
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PidFile none
"""


def lacking() -> str:
    """What this machine lacks for such hosts; "" where it has all."""
    for program in ("sshd", "rsync", "ip", "ssh", "nsenter", "unshare", "flock"):
        if shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None:
            return f"{program} is not installed"
    if os.getuid() != 0:
        return "not root"
    tried = subprocess.run([*UNSHARE, "--mount-proc", "true"], capture_output=True, text=True)
    return f"no namespaces: {tried.stderr.strip()}" if tried.returncode else ""


@dataclass
class Host:
    """A machine of its own, as far as its processes can see."""

    name: str
    home: Path
    address: str
    boot: subprocess.Popen[bytes] = field(repr=False)

    @property
    def pid(self) -> int:
        """Of the host's first process, with which all others end."""
        (first,) = psutil.Process(self.boot.pid).children()
        return first.pid

    def command(
        self, arguments: Sequence[str | Path], cwd: Path | None = None, **environment: str
    ) -> list[str]:
        """What runs the arguments there, with the host's home and nothing else of this process."""
        home = str(self.home)
        plain = {"HOME": home, "TMPDIR": home, "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
        enter = ["nsenter", f"--target={self.pid}", "--net", "--pid", "--mount", "--uts"]
        values = [f"{name}={value}" for name, value in (plain | environment).items()]
        return [*enter, "env", "-i", f"-C{cwd or self.home}", *values, *map(str, arguments)]

    def run(
        self,
        arguments: Sequence[str | Path],
        cwd: Path | None = None,
        timeout: float = 60,
        **environment: str,
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(arguments, cwd, **environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
        )

    def kill(self) -> None:
        """As if its plug were pulled, but that the kernel closes its connections."""
        self.boot.kill()
        self.boot.wait()

    def processes(self) -> list[str]:
        """The command lines of what runs there."""
        listed = self.run(["ps", "-eo", "args="])
        return listed.stdout.splitlines()


@contextmanager
def hosts(folder: Path, *names: str) -> Iterator[list[Host]]:
    """The hosts, the first without sshd; `folder`/keys/user opens the others to it."""
    keys = folder / "keys"
    keys.mkdir(parents=True)
    for key in ("host", "user"):
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(keys / key)]
        subprocess.run(make, check=True)
    Path("/tmp/ray").mkdir(exist_ok=True)
    made: list[Host] = []
    try:
        for i, name in enumerate(names):
            made.append(_host(folder, keys, name, i))
        first = made[0]
        _ip(first, "link add bridge type bridge")
        _ip(first, "link set bridge up")
        _ip(first, f"address add {NETWORK}.254/24 dev bridge")
        for i, host in enumerate(made):
            _ip(first, f"link add port{i} type veth peer name eth0 netns {host.pid}")
            _ip(first, f"link set port{i} master bridge up")
        for host in made[1:]:
            _wait_for_sshd(first, host)
        yield made
    finally:
        for host in made:
            host.kill()


def _host(folder: Path, keys: Path, name: str, i: int) -> Host:
    home, address = folder / name, f"{NETWORK}.{i + 1}"
    home.mkdir()
    (home / "passwd").write_text(
        f"root:x:0:0:root:{home}:/bin/bash\nsshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n"
    )
    (home / "sshd_config").write_text(SSHD.format(address=address, keys=keys))
    serve = f"/usr/sbin/sshd -D -e -f {home}/sshd_config" if i else "sleep infinity"
    values: dict[str, Any] = {"name": name, "home": home, "address": address, "network": NETWORK}
    (home / "boot.sh").write_text(BOOT.format(serve=serve, **values))
    with (home / "boot.log").open("wb") as log:
        boot = subprocess.Popen(
            [*UNSHARE, "--mount-proc", "bash", str(home / "boot.sh")],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    host = Host(name, home, address, boot)
    _wait(lambda: psutil.Process(boot.pid).children(), f"{name} did not start")
    return host


def _ip(host: Host, arguments: str) -> None:
    """In the host's network, but seeing all processes, so that others can be named."""
    enter = ["nsenter", f"--target={host.pid}", "--net", "ip"]
    subprocess.run([*enter, *arguments.split()], check=True, timeout=20)


def _wait_for_sshd(first: Host, host: Host) -> None:
    knock = ["bash", "-c", f"exec 3<>/dev/tcp/{host.address}/22"]
    _wait(
        lambda: first.run(knock).returncode == 0,
        f"{host.name} does not answer: {(host.home / 'boot.log').read_text()}",
    )


def _wait(condition: Any, otherwise: str, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, otherwise
        time.sleep(0.05)
