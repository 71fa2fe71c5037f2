"""`mlagents view` in a real browser: Chromium without a screen opens the page, clicks, and holds keys."""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from mlagents_envs.demonstrations import load_demonstration

pytest.importorskip("viser")
webdriver = pytest.importorskip("selenium.webdriver")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("default"),
    pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="needs Chromium and its driver"),
]

PROGRAM = "import sys; from mlagents.cli.main import main; sys.exit(main())"
PATIENCE_S = 240.0
QUIET = (
    "--headless=new",
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-unsafe-swiftshader",
    "--use-angle=swiftshader",
    "--window-size=1200,800",
)


def wait_for(find, what):
    deadline = time.monotonic() + PATIENCE_S
    while not (found := find()):
        assert time.monotonic() < deadline, f"no {what} after {PATIENCE_S:g} s"
        time.sleep(0.1)
    return found


class Page:
    """The page in Chromium."""

    def __init__(self, driver, address):
        self.driver = driver
        driver.get(address)

    def text(self):
        return self.driver.find_element("tag name", "body").text

    def click(self, label):
        path = f"//*[self::button or @role='tab'][normalize-space(.)={label!r}]"
        wait_for(lambda: self.driver.find_elements("xpath", path), label)[0].click()

    def scene(self):
        """What is between the panels, in the middle of the window."""
        picture = Image.open(io.BytesIO(self.driver.get_screenshot_as_png())).convert("RGB")
        width, height = picture.size
        return np.asarray(picture.crop((int(0.3 * width), int(0.25 * height), int(0.7 * width), height)), np.float64)

    def still_scene(self):
        """Wait until nothing moves."""
        last = self.scene()

        def same():
            nonlocal last
            time.sleep(1.0)
            before, last = last, self.scene()
            return np.abs(last - before).max() < 8.0

        wait_for(same, "scene that stands still")
        return last

    def hold(self, key, seconds):
        webdriver.ActionChains(self.driver).key_down(key).pause(seconds).key_up(key).perform()

    def number(self, pattern):
        found = re.search(pattern, self.text())
        return None if found is None else int(found[1])


@pytest.fixture
def chromium(tmp_path):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (*QUIET, f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.set_page_load_timeout(PATIENCE_S)
    yield driver
    driver.quit()


@pytest.fixture
def view(tmp_path):
    """Start `mlagents view` with these arguments, in a folder of its own, and return its address."""
    processes = []

    def start(*arguments):
        command = [sys.executable, "-c", PROGRAM, "view", *arguments, "--port", "0", "--no-browser"]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment)
        processes.append(process)
        line = process.stderr.readline()
        assert " is shown at http://127.0.0.1:" in line, line + process.stderr.read()
        return re.search(r"http\S+", line)[0], process

    yield start
    for process in processes:
        process.kill()
        process.wait()
        process.stderr.close()


def test_a_person_looks_takes_over_and_teaches(chromium, view, tmp_path):
    address, process = view("PushBlock", "--model", "random", "--record", "taught.demo")
    page = Page(chromium, address)
    wait_for(lambda: "PushBlock, agent 0" in page.text(), "agent")
    wait_for(lambda: (page.number(r"decision (\d+)") or 0) >= 3, "decision")
    assert "StackingSensor_size3_OffsetRayPerceptionSensor" in page.text().replace("\n", "")
    assert "run ahead" in page.text()

    page.click("Teach")
    page.click("Take over")
    wait_for(lambda: "keys held" in page.text(), "field of keys")
    before = page.still_scene()
    page.click("Record")
    page.hold("w", 3.0)
    recorded = r"taught\.demo ●\s+\d+\s+(\d+)"  # behind the number of episodes
    wait_for(lambda: (page.number(recorded) or 0) >= 3, "recorded decision")
    after = page.still_scene()
    assert (np.abs(after - before).max(axis=2) > 30.0).mean() > 1e-4, "the agent has not moved"

    first = page.number(recorded)
    wait_for(lambda: page.number(recorded) > first, "growing recording")
    page.click("Stop recording")
    wait_for(lambda: (tmp_path / "taught.demo").is_file(), "demonstration")
    assert not [entry for entry in chromium.get_log("browser") if entry["level"] == "SEVERE"]

    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    episodes = load_demonstration(tmp_path / "taught.demo").episodes
    choices = np.concatenate([episode.action.discrete[:, 0] for episode in episodes]).tolist()
    assert set(choices) == {0, 1}  # nothing, and "run ahead" while W was held
    held = [step for step, choice in enumerate(choices) if choice == 1]
    assert held == list(range(held[0], held[-1] + 1))  # without a gap


def test_time_is_stopped_and_goes_on_step_by_step(chromium, view):
    address, _ = view("3DBall", "--num-areas", "2")
    page = Page(chromium, address)
    wait_for(lambda: (page.number(r"decision (\d+)") or 0) >= 3, "decision")
    page.click("Pause")
    wait_for(lambda: "Go on" in page.text(), "pause")
    time.sleep(1.0)
    stopped = page.number(r"decision (\d+)")
    time.sleep(1.0)
    assert page.number(r"decision (\d+)") == stopped
    page.click("Step")
    wait_for(lambda: page.number(r"decision (\d+)") == stopped + 1, "single step")
    page.click("Reset")
    wait_for(lambda: page.number(r"decision (\d+)") == 0, "reset")
    page.click("World")
    wait_for(lambda: "gravity" in page.text(), "parameters")
