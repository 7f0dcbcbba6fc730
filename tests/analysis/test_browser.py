"""The report and the tracker's pages as a user sees them, in headless Chromium."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from analysis import report
from tests.analysis.worlds import record, small_world

pytestmark = pytest.mark.browser

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--window-size=1400,1600",
)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chrome]:
    options = ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in (*FLAGS, f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options, Service("/usr/bin/chromedriver"))
    yield driver
    driver.quit()


def requested(browser: Chrome) -> set[str]:
    """The addresses of all requests so far, from the browser's own log."""
    entries: Any = browser.get_log("performance")
    events = [json.loads(entry["message"])["message"] for entry in entries]
    sent = [event for event in events if event["method"] == "Network.requestWillBeSent"]
    return {event["params"]["request"]["url"] for event in sent}


def test_the_report_opens_without_an_error_or_an_outside_request(
    browser: Chrome, tracking_uri: str, tmp_path: Path
) -> None:
    page = report.write(small_world().plan, tracking_uri, tmp_path / "report").html
    browser.get("about:blank")
    requested(browser)  # those of the browser's own first page
    browser.get(page.as_uri())
    images = browser.find_elements(By.TAG_NAME, "img")
    assert len(images) == 3
    assert all(int(image.get_property("naturalWidth")) > 400 for image in images)
    table = browser.find_element(By.CSS_SELECTOR, ".results table").text
    assert "only CE 77.00 ± 2.00 3 85.8" in table
    assert "DEMO SCALE" in browser.find_element(By.CLASS_NAME, "banner").text
    errors: Any = browser.get_log("browser")
    assert errors == []
    assert {address.partition(":")[0] for address in requested(browser)} == {"file", "data"}


@pytest.mark.parametrize("width", [390, 1400])
def test_only_the_tables_scroll_sideways(
    browser: Chrome, tracking_uri: str, tmp_path: Path, width: int
) -> None:
    page = report.write(small_world().plan, tracking_uri, tmp_path / "report").html
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(page.as_uri())
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width


@pytest.fixture
def server(tracking_uri: str, tmp_path: Path) -> Iterator[str]:
    """The address of MLflow's pages over the tracker's database."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "ui", "--workers", "1", "--port", str(port)]
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (tmp_path / "server.txt").open("w") as log:
        process = subprocess.Popen(
            [*command, "--backend-store-uri", tracking_uri],
            stdout=log,
            stderr=log,
            env=environment,
            cwd=tmp_path,
        )
        try:
            wait_for(f"http://127.0.0.1:{port}/health", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)


def wait_for(address: str, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(120):
        assert process.poll() is None, "the server has ended"
        try:
            urllib.request.urlopen(address, timeout=1).close()
        except OSError:
            time.sleep(0.5)
        else:
            return
    raise TimeoutError(address)


def test_the_studys_run_shows_table_and_figures_in_mlflows_pages(
    browser: Chrome, server: str, tracking_uri: str, tmp_path: Path
) -> None:
    world = small_world("seen.demo", "seen-")
    run = record(tracking_uri, world)
    written = report.write(world.plan, tracking_uri, tmp_path / "report")
    client = MlflowClient(tracking_uri)
    client.log_artifacts(run, str(tmp_path / "report"), "report")
    client.set_tag(run, "mlflow.note.content", written.markdown)
    experiment = client.get_run(run).info.experiment_id
    wait = WebDriverWait(browser, 60)

    browser.get(f"{server}/#/experiments/{experiment}/runs/{run}")
    wait.until(lambda b: "only CE" in b.find_element(By.TAG_NAME, "table").text)
    assert "77.00 ± 2.00" in browser.find_element(By.TAG_NAME, "body").text

    browser.get(f"{server}/#/experiments/{experiment}/runs/{run}/artifacts/report/report.html")
    frame = wait.until(lambda b: b.find_element(By.CSS_SELECTOR, "iframe"))
    browser.switch_to.frame(frame)
    wait.until(lambda b: "only CE 77.00 ± 2.00" in b.find_element(By.TAG_NAME, "body").text)
    images = browser.find_elements(By.TAG_NAME, "img")
    assert [int(i.get_property("naturalWidth")) > 400 for i in images] == [True] * 3
