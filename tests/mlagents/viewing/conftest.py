"""A real browser, and pages to be opened in it."""

from __future__ import annotations

import re
import threading

import pytest


@pytest.fixture
def chromium(tmp_path):
    webdriver = pytest.importorskip("selenium.webdriver")
    from toys.browser import start_browser

    driver = start_browser(webdriver, tmp_path / "profile")
    yield driver
    driver.quit()


@pytest.fixture
def start(tmp_path):
    """Start a program that says where its page is; returns the address and the process."""
    from toys.browser import start_program

    processes, readers = [], []

    def begin(name, *arguments):
        process = start_program(name, *arguments, folder=tmp_path)
        processes.append(process)
        lines = []
        for line in process.stderr:
            lines.append(line)
            if " is shown at http://127.0.0.1:" in line:
                readers.append(threading.Thread(target=process.stderr.read))  # so that it never waits for us
                readers[-1].start()
                return re.search(r"http\S+", line)[0], process
        raise AssertionError("".join(lines))

    yield begin
    for process in processes:
        process.kill()
        process.wait()
    for reader in readers:
        reader.join()
    for process in processes:
        process.stderr.close()


@pytest.fixture
def view(start):
    """Start `mlagents view` with these arguments."""
    return lambda *arguments: start("mlagents", "view", *arguments, "--port", "0", "--no-browser")
