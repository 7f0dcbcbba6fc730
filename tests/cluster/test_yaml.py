"""cluster.yaml and cluster.local.yaml: what Ray itself checks, and what must hold of them."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

from study.running.cluster import startable

ROOT = Path(__file__).parents[2]
BOTH = ("cluster.yaml", "cluster.local.yaml")


def read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / name).read_text())
    return content


@pytest.mark.parametrize("name", BOTH)
def test_ray_accepts_the_file(name: str) -> None:
    validate_config(prepare_config(read(name)))


@pytest.mark.parametrize("name", BOTH)
def test_ray_refuses_a_key_that_it_does_not_know(name: str) -> None:
    with pytest.raises(Exception, match="idle_timeout"):
        validate_config(prepare_config(read(name) | {"idle_timeout": 5}))


def test_both_files_are_the_same_from_file_mounts_on() -> None:
    aws, local = ((ROOT / name).read_text().partition("\nfile_mounts:")[2] for name in BOTH)
    assert aws
    assert aws == local
    assert read(BOTH[0])["idle_timeout_minutes"] == read(BOTH[1])["idle_timeout_minutes"]


def test_the_head_is_on_demand_and_workers_are_spot_with_a_gpu_and_may_be_none() -> None:
    config = read("cluster.yaml")
    head, worker = (config["available_node_types"][kind] for kind in ("head", "worker"))
    assert config["head_node_type"] == "head"
    assert "InstanceMarketOptions" not in head["node_config"]
    assert head["resources"] == {"CPU": 0, "GPU": 0}
    assert worker["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    assert worker["resources"]["GPU"] == 1
    assert worker["min_workers"] == 0 < worker["max_workers"] <= config["max_workers"]


def test_a_driver_on_the_head_knows_the_workers_that_are_still_to_be_started(
    tmp_path: Path,
) -> None:
    assert startable(tmp_path / "ray_bootstrap_config.yaml") == []
    for name, workers in zip(BOTH, ([{"CPU": 4, "GPU": 1}], [{}]), strict=True):
        (tmp_path / name).write_text(yaml.safe_dump(prepare_config(read(name))))
        found = startable(tmp_path / name)  # each worker that may be started
        assert found == workers * len(found)
        assert found


def test_no_security_group_of_our_own_opens_anything() -> None:
    config = read("cluster.yaml")
    assert "security_group" not in config["provider"]  # Ray's opens 22, and all within the group
    for kind in config["available_node_types"].values():
        assert not {"SecurityGroupIds", "NetworkInterfaces"} & set(kind["node_config"])


def test_every_file_that_is_sent_is_there_and_all_that_is_imported_is_sent() -> None:
    sent = {path for path in read("cluster.yaml")["file_mounts"].values() if path[0] != "~"}
    assert all((ROOT / path).exists() for path in sent)
    pyproject = (ROOT / "pyproject.toml").read_text()
    packages = re.search(r"include = (\[.*\])", pyproject)
    assert packages
    assert {name.strip("*") for name in yaml.safe_load(packages[1])} <= sent


@pytest.mark.parametrize("name", ["settings.sh", "setup.sh", "database.sh", "start.sh"])
def test_scripts_can_be_parsed(name: str) -> None:
    subprocess.run(["bash", "-n", ROOT / "cluster" / name], check=True)


def test_settings_name_the_shared_storage_once_and_the_token_is_asked_for() -> None:
    shown = settings("STUDY_STORAGE=/mnt/nfs/studies")
    assert shown["MLFLOW_ARTIFACTS_DESTINATION"] == "/mnt/nfs/studies/artifacts"
    assert shown["RAY_AUTH_MODE"] == "token"
    assert "RAY_ADDRESS" not in shown


def settings(change: str) -> dict[str, str]:
    """The environment that settings.sh makes, on a node that is not the head, with one change."""
    name = change.partition("=")[0]
    source = (ROOT / "cluster/settings.sh").read_text()
    changed, times = re.subn(f"(?m)^export {name}=.*$", f"export {change}", source)
    assert times == 1
    assert source.count("s3://") == 1
    done = subprocess.run(
        ["bash", "-c", f"{changed}\nenv -0"],
        env={"HOME": "/home/nobody", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(line.split("=", 1) for line in done.stdout.split("\0") if line)


def test_servers_listen_on_loopback() -> None:
    start = (ROOT / "cluster/start.sh").read_text()
    assert "mlflow server --host 127.0.0.1 " in start
    assert "--dashboard-host=127.0.0.1 " in start
    assert "0.0.0.0" not in start
