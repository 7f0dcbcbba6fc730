"""An MLflow server for tests, as the head of a cluster runs one, that can be killed and go on."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path


class Server:
    """With its database, artifacts and log in a folder; it listens on this machine only."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self.uri = f"http://{self.address}"
        self.artifacts, self.log = folder / "artifacts", folder / "server.log"
        self._database = f"sqlite:///{folder / 'server.db'}"
        self.start()
        self.wait()

    def start(self) -> None:
        """`wait` tells when it answers."""
        store = ["--backend-store-uri", self._database]
        files = ["--artifacts-destination", str(self.artifacts)]
        listen = ["--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", "server", *store, *files, *listen],
                stdout=log,
                stderr=log,
                env=os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
                start_new_session=True,
            )

    def wait(self) -> None:
        end = time.monotonic() + 120
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                assert self.process.poll() is None, self.log.read_text()
                assert time.monotonic() < end, self.log.read_text()
                time.sleep(0.2)

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
