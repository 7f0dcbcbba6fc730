"""Which options go together, and which databases with which storage."""

import re
from collections import namedtuple
from pathlib import Path

import psutil
import pytest

from study import databases
from study.arguments import explained, parsed
from study.databases import search_storage, tracking_uri
from study.request import Request, Resources
from study.running.launch import places_of
from trainables.data.cache import Cache
from trainables.settings import Invalid

Mount = namedtuple("Mount", "mountpoint fstype")


@pytest.fixture
def mounts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    listed = [Mount("/", "ext4"), Mount(f"{tmp_path}/lab", "nfs4"), Mount("/proc", "proc")]
    listed += [Mount(f"{tmp_path}/lab/disk", "xfs"), Mount(f"{tmp_path}/laboratory", "ext4")]
    listed += [Mount(f"{tmp_path}/ssh", "fuse.sshfs"), Mount(f"{tmp_path}/pod", "fuse.overlayfs")]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: listed)  # noqa: A006


def given(storage: str, *more: str) -> Request:
    """What a command asks for that may search."""
    return parsed(["--grid", "x", "--search", "2", "--storage", storage, *more])[1]


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        *[("lab", "nfs4"), ("lab/a/b", "nfs4"), ("lab/disk/a", None), ("laboratory", None)],
        *[(".", None), ("ssh", "fuse.sshfs"), ("pod", None)],
    ],
)
def test_the_innermost_mount_says_what_file_system_it_is(
    mounts: None, tmp_path: Path, place: str, kind: str | None
) -> None:
    assert databases.network_of(tmp_path / place) == kind


@pytest.mark.parametrize("empty", [True, False])
def test_on_a_local_disk_sqlite_is_the_default(
    mounts: None, tmp_path: Path, empty: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("MLFLOW_TRACKING_URI", "STUDY_SEARCH_STORAGE"):
        monkeypatch.delenv(variable, raising=False)
        if empty:
            monkeypatch.setenv(variable, "")
    args = given(str(tmp_path / "a"))
    assert tracking_uri(args) == f"sqlite:///{tmp_path}/a/mlflow.db"
    assert search_storage(args) == f"sqlite:///{tmp_path}/a/optuna.db"


@pytest.mark.parametrize("storage", ["s3://bucket/x", "lab/x"])
def test_where_many_machines_write_databases_must_be_given(
    mounts: None, tmp_path: Path, storage: str
) -> None:
    place = storage if "://" in storage else str(tmp_path / storage)
    where = "on S3" if "://" in storage else r"on a network file system \(nfs4\)"
    with pytest.raises(Invalid, match=f"^--tracking-uri is missing: must be .* is {where}$"):
        tracking_uri(given(place))
    with pytest.raises(Invalid, match=f"^--search-storage is missing: must be .* is {where}$"):
        search_storage(given(place))
    with pytest.raises(Invalid, match=f"^--search-storage = sqlite:////a.db: must .* is {where}$"):
        search_storage(given(place, "--search-storage", "sqlite:////a.db"))
    server = given(place, "--tracking-uri", "http://host:5000", "--search-storage", "mysql://h/d")
    assert tracking_uri(server) == "http://host:5000"
    assert search_storage(server) == "mysql://h/d"
    local = f"sqlite:///{tmp_path}/laboratory/m.db"
    with pytest.raises(
        Invalid, match=rf"^--tracking-uri = .*m\.db: must be a server .* is {where}$"
    ):
        tracking_uri(given(place, "--tracking-uri", local))


def test_a_sqlite_file_on_a_network_is_refused_whatever_the_storage(
    mounts: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lab").mkdir()
    monkeypatch.chdir(tmp_path / "lab")
    since = r"since it is on a network file system \(nfs4\)$"
    storage = str(tmp_path / "a")
    for url in (f"sqlite:///{tmp_path}/lab/x/m.db", "sqlite:///m.db?timeout=9"):
        with pytest.raises(
            Invalid, match=rf"^--tracking-uri = sqlite.*: must be a server.*{since}"
        ):
            tracking_uri(given(storage, "--tracking-uri", url))
        with pytest.raises(Invalid, match=rf"^--search-storage = sqlite.*: must be a .*{since}"):
            search_storage(given(storage, "--search-storage", url))
    disk = f"sqlite:///{tmp_path}/lab/disk/m.db"
    assert tracking_uri(given(storage, "--tracking-uri", disk)) == disk
    assert search_storage(given(storage, "--search-storage", disk)) == disk


def test_an_url_of_no_storage_is_refused_without_its_password() -> None:
    with pytest.raises(
        Invalid, match=r"^argument --storage: gs://\*\*\*@bucket: must be a folder"
    ) as said:
        given("gs://me:hush@bucket")
    assert "hush" not in str(said.value)


@pytest.mark.parametrize("variable", ["STUDY_STORAGE", "STUDY_DATA_DIR"])
def test_a_folder_without_a_name_is_refused(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    option = {"STUDY_STORAGE": "--storage", "STUDY_DATA_DIR": "--data-dir"}[variable]
    with pytest.raises(Invalid, match=f"^argument {option}: '' must be a folder"):
        parsed(["--grid", "x", option, ""])
    monkeypatch.setenv(variable, "")
    with pytest.raises(Invalid, match="'' must be a folder") as said:
        parsed(["--grid", "x"])
    assert explained(str(said.value), []).startswith(f"{variable}: '' must be a folder")


@pytest.mark.parametrize(
    "url", ["", "sqlite://", "sqlite:///:memory:", "sqlite:///file:x?mode=memory&uri=true"]
)
def test_a_database_without_a_file_is_refused(mounts: None, tmp_path: Path, url: str) -> None:
    for option, read in (("--tracking-uri", tracking_uri), ("--search-storage", search_storage)):
        with pytest.raises(Invalid, match=f"^{option} = {re.escape(url)}: must name a file"):
            read(given(str(tmp_path), option, url))


@pytest.mark.parametrize(
    ("tracker", "searches"),
    [
        ("sqlite:////a/x.db", "sqlite+pysqlite:////a/./x.db?timeout=9"),
        ("postgresql://me:hush@host/d", "postgresql+psycopg://you@host/d"),
    ],
)
def test_one_database_for_tracker_and_searches_is_refused(
    mounts: None, tmp_path: Path, tracker: str, searches: str
) -> None:
    both = ("--tracking-uri", tracker, "--search-storage")
    with pytest.raises(Invalid, match=r"--search-storage = .*: must be another database"):
        search_storage(given(str(tmp_path), *both, searches))
    assert search_storage(given(str(tmp_path), *both, f"{tracker}2")) == f"{tracker}2"


def test_a_priority_is_a_weight_beside_other_commands_of_a_cluster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    given = ["--grid", "x", "--priority", "2.5"]
    with pytest.raises(
        Invalid, match=r"^--priority: only together with --address, or RAY_ADDRESS$"
    ):
        parsed(given)
    assert parsed([*given, "--address", "h:6379"])[1].resources.priority == 2.5
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    assert parsed(given)[1].resources.priority == 2.5
    assert parsed(["--grid", "x"])[1].resources.priority == 1
    for wrong in ("0", "-1", "inf", "nan", "high"):
        with pytest.raises(Invalid, match=f"argument --priority: '{wrong}' must be a number above"):
            parsed(["--grid", "x", f"--priority={wrong}"])


def test_decoded_images_are_kept_where_it_is_said_and_as_many_as_it_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("STUDY_CACHE_DIR")
    monkeypatch.chdir("/")

    def cache(*given: str) -> Cache:
        return parsed(["--grid", "x", *given])[1].resources.cache

    assert cache() == Resources().cache == Cache()
    assert cache("--cache-dir", "fast", "--cache-size", "50GB") == Cache(Path("/fast"), 50 * 10**9)
    assert cache("--cache-size", "0").place is None
    monkeypatch.setenv("STUDY_CACHE_DIR", "/slow")
    assert cache() == Resources().cache == Cache(Path("/slow"))
    valid = "must be a number with MB, GB or TB, like 50GB; or 0, for no cache"
    with pytest.raises(Invalid, match=f"^argument --cache-size: '12XB' {valid}$"):
        cache("--cache-size", "12XB")
    with pytest.raises(Invalid, match=r"^--cache-size: not together with --report, which takes "):
        cache("--report", "--cache-size", "1GB")


def test_a_cluster_has_caches_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    given = ["--grid", "x", "--cache-dir", "/local/fast"]
    assert parsed(given)[1].cache_here == Cache(Path("/local/fast"))
    elsewhere = parsed([*given, "--address", "h:6379"])[1]
    assert elsewhere.cache_here is None
    assert elsewhere.resources.cache == Cache(Path("/local/fast"))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--search-space", "both"),  # though it is the default
        ("--search-seeds", "1"),
        ("--search-seed", "0"),
        ("--search-storage", "sqlite:////a.db"),
        ("--sampler", "random"),
        ("--pruner", "asha"),
    ],
)
def test_an_option_of_searches_needs_one(option: str, value: str) -> None:
    with pytest.raises(Invalid, match=f"^{option}: only together with --search POINTS$"):
        parsed(["--grid", "x", option, value])
    parsed(["--grid", "x", option, value, "--search", "2"])


@pytest.mark.parametrize("mode", ["--list", "--clean", "--status", "--report"])
def test_a_mode_takes_no_option_that_it_would_ignore(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("STUDY_SEARCH_STORAGE", "sqlite:////a.db"), ("RAY_ADDRESS", "auto")):
        monkeypatch.setenv(name, value)
    parsed([mode])  # what the environment says is for all modes
    for option in ("--search", "--max-concurrent"):
        with pytest.raises(Invalid, match=f"^{option}: not together with {mode}.*, which takes "):
            parsed([mode, option, "1"])


@pytest.mark.parametrize("mode", ["--status", "--report"])
def test_a_users_own_command_may_ask_for_its_status_or_report(mode: str) -> None:
    own = ["--grid", "x", "--seeds", "3", "--only", "a", "--set", "recipe.lr=1"]
    found, request = parsed([*own, mode])
    assert found == mode.removeprefix("--")
    assert (request.seeds, request.only, request.changes) == (3, ("a",), ("recipe.lr=1",))


@pytest.mark.parametrize(
    ("variable", "option"),
    [
        ("RAY_ADDRESS", "--address"),
        ("STUDY_STORAGE", "--storage"),
        ("STUDY_DATA_DIR", "--data-dir"),
        ("STUDY_CACHE_DIR", "--cache-dir"),
        ("MLFLOW_TRACKING_URI", "--tracking-uri"),
        ("STUDY_SEARCH_STORAGE", "--search-storage"),
    ],
)
def test_an_error_names_what_its_value_came_from(
    variable: str, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def error(name: str) -> str:
        return f"{name} = /x: must be another, since {name} is wrong; of {option}, {option}-y"

    monkeypatch.delenv(variable, raising=False)
    assert explained(error(option), []) == error(option)
    monkeypatch.setenv(variable, "/x")
    assert explained(error(option), []) == error(variable)
    assert explained(f"argument {option}: bad", []) == f"{variable}: bad"
    for given_too in ([option, "/x"], [f"{option}=/x"]):
        assert explained(error(option), given_too) == error(option)


def test_steps_are_captured_unless_it_is_forbidden(tmp_path: Path) -> None:
    for options, captures in (([], True), (["--no-capture"], False)):
        resources = given(str(tmp_path), *options).resources
        assert resources.capture == captures
        assert places_of(resources).site(tmp_path).capture == captures


@pytest.mark.parametrize(
    ("options", "workers", "synchronised", "said"),
    [
        ([], 1, False, "1 CPUs"),
        (["--gpus-per-trial", "0.5"], 1, False, "1 CPUs, 0.5 GPUs"),
        (["--gpus-per-trial", "4"], 4, False, "4 workers of 1 CPUs, 1 GPUs"),
        (["--workers-per-trial", "2", "--sync-batch-norm"], 2, True, "2 workers of 1 CPUs"),
        (["--workers-per-trial", "2", "--gpus-per-trial", "2"], 2, False, "2 workers of 1 CPUs, 1"),
    ],
)
def test_a_trial_has_a_worker_for_each_gpu_or_as_many_as_are_given(
    options: list[str], workers: int, synchronised: bool, said: str, tmp_path: Path
) -> None:
    resources = given(str(tmp_path), *options).resources
    assert resources.together == workers
    assert resources.sync_batch_norm == synchronised
    assert str(resources).startswith(said)
    assert str(resources.of_a_worker()).startswith("1 CPUs")
