"""cluster.yaml as it stands, launched against a stand-in of AWS: moto's server."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]

ROOT = Path(__file__).parents[2]
RAY = f"{sys.prefix}/bin/ray"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a laptop whose AWS is the stand-in."""
    home = tmp_path_factory.mktemp("laptop")
    (home / ".ray").mkdir()
    (home / ".ray/auth_token").write_text("0123456789abcdef" * 4)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_DEFAULT_REGION": "us-west-2",
        "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
        "RAY_USAGE_STATS_ENABLED": "0",
        "TMPDIR": str(home),  # where Ray keeps what it has found in the cloud
    }
    with (home / "moto.log").open("w") as log:
        command = [sys.executable, "-m", "moto.server", "--port", str(port)]
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            end = time.monotonic() + 60
            while socket.socket().connect_ex(("127.0.0.1", port)) != 0:
                assert time.monotonic() < end, (home / "moto.log").read_text()
                time.sleep(0.1)
            yield environment
        finally:
            server.kill()
            server.wait()


def client(service: str, cloud: dict[str, str]) -> Any:
    return boto3.client(
        service,
        endpoint_url=cloud["AWS_ENDPOINT_URL"],
        aws_access_key_id="none",
        aws_secret_access_key="none",
        region_name="us-west-2",
    )


def machines(cloud: dict[str, str]) -> list[dict[str, Any]]:
    found = client("ec2", cloud).describe_instances()["Reservations"]
    return [machine for reservation in found for machine in reservation["Instances"]]


def test_up_launches_the_head_and_down_ends_it(cloud: dict[str, str], tmp_path: Path) -> None:
    config = yaml.safe_load((ROOT / "cluster.yaml").read_text())
    up = subprocess.Popen(
        [RAY, "up", "-y", "--no-config-cache", str(ROOT / "cluster.yaml")],
        env=cloud,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=(tmp_path / "up.log").open("w"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:  # it waits for the machine's sshd, which there is not
        end = time.monotonic() + 240
        while not machines(cloud):
            assert time.monotonic() < end, (tmp_path / "up.log").read_text()
            assert up.poll() is None, (tmp_path / "up.log").read_text()
            time.sleep(0.5)
    finally:
        os.killpg(up.pid, signal.SIGKILL)
        up.wait()

    (head,) = machines(cloud)
    expected = config["available_node_types"]["head"]["node_config"]
    assert head["InstanceType"] == expected["InstanceType"]
    assert head["ImageId"] == expected["ImageId"]
    assert head.get("InstanceLifecycle") != "spot"
    tags = {tag["Key"]: tag["Value"] for tag in head["Tags"]}
    assert tags["ray-cluster-name"] == "label-studies"
    assert tags["ray-node-type"] == "head"
    assert head["IamInstanceProfile"]["Arn"].endswith("/ray-autoscaler-v1")
    check_open_ports(cloud, head)
    check_key_pair(cloud, head)
    check_role(cloud)

    down = subprocess.run(
        [RAY, "down", "-y", str(ROOT / "cluster.yaml")],
        env=cloud,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert down.returncode == 0, down.stdout + down.stderr
    (head,) = machines(cloud)
    assert head["State"]["Name"] in ("stopping", "stopped")  # its disk is kept


def check_open_ports(cloud: dict[str, str], head: dict[str, Any]) -> None:
    """To the world: ssh; to machines of the same group: all."""
    ids = [group["GroupId"] for group in head["SecurityGroups"]]
    groups = client("ec2", cloud).describe_security_groups(GroupIds=ids)["SecurityGroups"]
    rules = [rule for group in groups for rule in group["IpPermissions"]]
    world = [rule for rule in rules if rule["IpRanges"] or rule["Ipv6Ranges"]]
    assert [(r["IpProtocol"], r["FromPort"], r["ToPort"]) for r in world] == [("tcp", 22, 22)]
    for rule in rules:
        if rule not in world:
            assert {pair["GroupId"] for pair in rule["UserIdGroupPairs"]} <= set(ids)


def check_key_pair(cloud: dict[str, str], head: dict[str, Any]) -> None:
    key = Path(cloud["HOME"]) / ".ssh" / f"{head['KeyName']}.pem"
    assert key.stat().st_mode & 0o077 == 0
    assert client("ec2", cloud).describe_key_pairs(KeyNames=[head["KeyName"]])["KeyPairs"]


def check_role(cloud: dict[str, str]) -> None:
    attached = client("iam", cloud).list_attached_role_policies(RoleName="ray-autoscaler-v1")
    names = {policy["PolicyName"] for policy in attached["AttachedPolicies"]}
    assert names == {"AmazonEC2FullAccess", "AmazonS3FullAccess"}
