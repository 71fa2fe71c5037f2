"""What the container is built from is there, and reaches the engine; the engine itself is not needed."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_what_is_copied_is_there_and_not_left_out():
    kept = [line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line[0] == "!"]
    copied = [source for line in re.findall(r"^COPY (.+)$", DOCKERFILE, re.MULTILINE) for source in line.split()[:-1]]
    assert len(copied) == 6
    for source in copied:
        assert (ROOT / source).exists(), source
        assert any(fnmatch(source, pattern) for pattern in kept), f"{source} is left out by .dockerignore"


def test_it_runs_as_another_user_than_root_and_begins_with_the_trainer():
    user = re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE)[-1]
    assert f"useradd --create-home --uid 1000 {user}" in DOCKERFILE
    assert DOCKERFILE.index("USER") > DOCKERFILE.rindex("RUN")
    assert 'ENTRYPOINT ["mlagents-learn"]' in DOCKERFILE
    assert "\nmlagents-learn = " in (ROOT / "pyproject.toml").read_text()


def test_the_services_share_the_folder_of_the_run_and_only_this_machine_sees_the_curves():
    services = YAML(typ="safe").load(ROOT / "compose.yaml")["services"]
    assert services["train"]["command"].split()[0] == "/config/ppo/3DBall.yaml"
    assert (ROOT / "config/ppo/3DBall.yaml").is_file()
    assert services["train"]["volumes"] == ["./work:/work"]
    assert services["tensorboard"]["volumes"] == ["./work:/work:ro"]
    assert services["tensorboard"]["ports"] == ["127.0.0.1:6006:6006"]
    assert services["train"]["image"] == services["tensorboard"]["image"]
