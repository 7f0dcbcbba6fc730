"""Secrets reach no output, log, tag, parameter, report or file; nothing foreign is unpickled."""

import ast
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from study.command import again, main
from tests.study.command import ONE, TINY, command
from tests.study.server import Server
from trainables.settings import masked
from trainables.storage import bucket as s3
from trainables.storage.storage import Storage

ROOT = Path(__file__).parents[2]
SOURCES = [p for name in ("trainables", "study", "analysis") for p in (ROOT / name).rglob("*.py")]
SECRETS = {
    "MLFLOW_TRACKING_TOKEN": "token-8d1f",
    "AWS_SECRET_ACCESS_KEY": "secret-of-the-bucket",
    "AWS_SESSION_TOKEN": "session-55aa",
    "STUDY_TEST_PASSWORD": "hush-77e3",  # in the tracking server's address
}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://me:hush@host:5000/x", "http://***@host:5000/x"),
        (
            "'postgresql+psycopg://me:hu/sh@p@host/d' failed",
            "'postgresql+psycopg://***@host/d' failed",
        ),
        ("https://token@host and s3://bucket/a@b", "https://***@host and s3://bucket/a@b"),
        ("mysql://host/d?user=me&password=hush&a=1", "mysql://host/d?user=me&password=***&a=1"),
        ("sqlite:////home/me@work/o.db", "sqlite:////home/me@work/o.db"),
        (
            "--tracking-uri=http://me:hush@host --seeds 1",
            "--tracking-uri=http://***@host --seeds 1",
        ),
    ],
)
def test_credentials_in_urls_are_masked(text: str, shown: str) -> None:
    assert masked(text) == shown


def test_the_command_to_go_on_shows_no_password() -> None:
    arguments = ["--grid", "x", "--tracking-uri", "http://me:hush@host", "--rerun", "all"]
    assert again(arguments).endswith(" study/run.py --grid x --tracking-uri 'http://***@host'")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--tracking-uri", "http://me:hush@127.0.0.1:9"],
        ["--tracking-uri", "http://me:hush@127.0.0.1:9", "--status"],
        ["--tracking-uri", "postgresql://me:hush@127.0.0.1:9/db", "--report"],
        ["--search", "2", "--search-storage", "postgresql://me:hush@127.0.0.1:9/db"],
        ["--search", "2", "--search-storage", "mysql://127.0.0.1:9/db?user=me&password=hush"],
        ["--storage", "s3://me:hush@bucket/x"],
    ],
)
def test_an_error_line_shows_no_password(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--grid", "kesl_ablation", "--storage", str(tmp_path), *arguments]) == 2
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    assert "hush" not in said.out + said.err


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_unpickled_but_weights_and_what_has_a_published_checksum(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {alias.name for alias in node.names} | {getattr(node, "module", "")}
            found = names & {"cloudpickle", "dill", "joblib", "shelve", "marshal", "pickle"}
            own = names == {"joblib", "Parallel", "delayed"}  # between processes of one command
            assert not found or own or (found == {"pickle"} and path.name == "cifar.py")
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("torch.load", "np.load"):
            safe = {word.arg: ast.unparse(word.value) for word in node.keywords}
            assert safe.get("weights_only") == "True" or safe.get("allow_pickle") == "False"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    started = Server(tmp_path)
    yield started
    started.kill()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_study_on_s3_leaves_no_secret_anywhere(
    bucket: str, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = Path(tempfile.mkdtemp(prefix="sec-", dir="/tmp"))  # short: Ray's sockets lie there
    home = tmp_path / "home"
    for name in [name for name in os.environ if name.startswith("RAY_")]:
        monkeypatch.delenv(name)  # Ray has set some here, if an earlier test started a cluster
    for name, value in {**SECRETS, "RAY_TMPDIR": str(logs), "HOME": str(home)}.items():
        monkeypatch.setenv(name, value)
    uri = f"http://me:{SECRETS['STUDY_TEST_PASSWORD']}@{server.address}"
    study = command(
        "kesl_label_smoothing", bucket, "--seeds", "1", *ONE, *TINY, "--tracking-uri", uri, epochs=2
    )
    done = subprocess.run(study, capture_output=True, text=True, timeout=600, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    (trials,) = re.findall(r"^(\d+) trials in .* 0 with a result", done.stdout, re.MULTILINE)
    again = subprocess.run(study, capture_output=True, text=True, timeout=600, cwd=ROOT)
    assert f"{trials} with a result, 0 to be resumed, 0 new" in again.stdout

    name, prefix = bucket.removeprefix("s3://").split("/", 1)
    listed = s3.client().list_objects_v2(Bucket=name, Prefix=prefix)["Contents"]
    keys = [entry["Key"].removeprefix(f"{prefix}/") for entry in listed]
    for wanted in ("lease.json", "result.json", "model.pt", "log.txt", "report.html", "table.csv"):
        assert any(key.endswith(wanted) for key in keys), wanted
    texts = {"output": done.stdout + done.stderr + again.stdout + again.stderr}
    for key in keys:
        texts[key] = (Storage(bucket).top.read(key) or b"").decode(errors="replace")
    client = MlflowClient(uri)
    (experiment,) = [e for e in client.search_experiments() if e.name == "label-studies"]
    runs = client.search_runs([experiment.experiment_id])
    assert len(runs) == int(trials) + 1
    texts["runs"] = str([run.to_dictionary() for run in runs])
    artifacts = [path for path in server.artifacts.rglob("*") if path.is_file()]
    assert {"plan.json", "report.html"} <= {path.name for path in artifacts}
    reports = [path for path in home.rglob("*") if path.is_file()]
    assert any(path.name == "report.html" for path in reports)
    ray = [path for path in logs.rglob("*") if path.is_file()]
    assert any(path.name.startswith("worker") for path in ray)
    for path in (*artifacts, *reports, *ray, server.log):
        texts[str(path)] = path.read_bytes().decode(errors="replace")
    found = [(s, name) for s in SECRETS.values() for name, text in texts.items() if s in text]
    assert found == []
    shutil.rmtree(logs)
