"""The page of `mlagents view` as a person uses it: Chromium without a screen, clicked and read from outside."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import time

import numpy as np
from PIL import Image
from selenium.common.exceptions import TimeoutException

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
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
    "--window-size=1100,750",
    "--force-device-scale-factor=0.5",  # the scene is drawn by the processor
)
PROGRAMS = {
    name: f"import sys; from mlagents.cli.{module} import main; sys.exit(main())"
    for name, module in {"mlagents": "main", "mlagents-learn": "learn"}.items()
}


def start_program(name, *arguments, folder):
    """Start a command of ours in a folder; its errors can be read line by line."""
    command = [sys.executable, "-c", PROGRAMS[name], *map(str, arguments)]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=folder, env=environment
    )


def start_browser(webdriver, profile):
    """Start Chromium with a profile of its own, and return its driver."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (*QUIET, f"--user-data-dir={profile}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.command_executor.client_config.timeout = PATIENCE_S
    driver.set_page_load_timeout(PATIENCE_S)
    driver.set_script_timeout(PATIENCE_S)
    return driver


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
        self._close_warning()

    def _close_warning(self):
        """Close viser's warning that there is no graphics card, which stands before the scene."""
        path = "//*[text()='Software WebGL rendering detected']/ancestor::*[@role='alert']//button"
        wait_for(lambda: self.driver.find_elements("xpath", path), "warning of viser")[0].click()

    def text(self):
        return self.driver.find_element("tag name", "body").text

    def number(self, pattern):
        found = re.search(pattern, self.text())
        return None if found is None else float(found[1].replace(",", ""))

    def decision(self):
        """Which decision of its episode the agent has taken that is looked at; -1 before the page says so."""
        found = self.number(r"decision (\d+)")
        return -1 if found is None else int(found)

    def click(self, label):
        path = f"//*[self::button or @role='tab'][normalize-space(.)={label!r}]"
        wait_for(lambda: self.driver.find_elements("xpath", path), label)[0].click()

    def field(self, label, kind="input"):
        """The nearest element of a kind beside a label that is shown."""
        script = """
        for (const label of document.querySelectorAll('label')) {
          if (label.textContent !== arguments[0] || !label.offsetParent) continue;
          let box = label;
          while (box && !box.querySelector(arguments[1])) box = box.parentElement;
          if (box) return box.querySelector(arguments[1]);
        }"""
        return wait_for(lambda: self.driver.execute_script(script, label, kind), f"field {label!r}")

    def tick(self, label):
        self.field(label, "input[type=checkbox]").click()

    def pick(self, label, option):
        """Choose from a list."""
        self.field(label).click()
        path = f"//*[@role='option'][normalize-space(.)={option!r}]"

        def shown():
            return [each for each in self.driver.find_elements("xpath", path) if each.is_displayed()]

        wait_for(shown, f"option {option!r}")[0].click()

    def slide(self, label, *keys):
        """Move a slider by keys."""
        self.field(label, "[role=slider]").send_keys(*keys)

    def hold(self, actions, key, seconds):
        actions(self.driver).key_down(key).pause(seconds).key_up(key).perform()

    def step(self, decisions=1):
        """Let so many decisions be taken, one by one, unless the episode ends before."""
        for _ in range(decisions):
            before = self.decision()
            self.click("Step")
            wait_for(lambda before=before: self.decision() != before, "single step")

    def scene(self):
        """What is between the panels, in the middle of the window, float64 [height, width, 3]."""
        picture = Image.open(io.BytesIO(wait_for(self._screenshot, "picture of the page"))).convert("RGB")
        width, height = picture.size
        return np.asarray(picture.crop((int(0.3 * width), int(0.25 * height), int(0.7 * width), height)), np.float64)

    def _screenshot(self):
        try:
            return self.driver.get_screenshot_as_png()
        except TimeoutException:  # after ten seconds, which a busy machine may need to draw once
            return None

    def still_scene(self):
        """Wait until nothing moves."""
        last = self.scene()

        def same():
            nonlocal last
            time.sleep(0.5)
            before, last = last, self.scene()
            return np.abs(last - before).max() < 8.0

        wait_for(same, "scene that stands still")
        return last


def changed(before, after):
    """The share of pixels that differ clearly."""
    return float((np.abs(after - before).max(axis=2) > 30.0).mean())
