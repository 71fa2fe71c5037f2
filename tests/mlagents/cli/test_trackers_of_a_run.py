"""`mlagents-learn --track`: what a real run sent, read back from the real library, is what the run's own table says."""

from __future__ import annotations

import csv
import json
import os
import struct
import subprocess
import sys
from importlib.util import find_spec

import pytest

CONFIG = """
behaviors:
  Basic:
    trainer_type: ppo
    hyperparameters: {batch_size: 32, buffer_size: 256}
    network_settings: {hidden_units: 20, num_layers: 1}
    max_steps: 3000
    time_horizon: 3
    summary_freq: 1000
"""
LEARN = "import sys; from mlagents.cli.learn import main; sys.exit(main())"
REWARD = "Environment/Cumulative Reward"
OFFLINE = {"WANDB_MODE": "offline", "WANDB_SILENT": "true"}

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


def rows_of_run(folder, name, *flags):
    """Train a short run, tracked, in a process of its own; return its table: step -> mean reward."""
    (folder / "short.yaml").write_text(CONFIG)
    command = [sys.executable, "-c", LEARN, "short.yaml", "--env=Basic", "--run-id=first", "--track", name, *flags]
    environment = {**os.environ, **OFFLINE, "TRACKIO_DIR": str(folder / "trackio")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    with open(folder / "summaries" / "first_Basic.csv") as file:
        return {int(row["Steps"]): float(row[REWARD]) for row in csv.DictReader(file)}


def ids(folder):
    return json.loads((folder / "models" / "first" / "trackers.json").read_text())


def needs(name):
    return pytest.mark.skipif(find_spec(name) is None, reason=f"needs the extra `{name}`")


@needs("wandb")
def test_weights_and_biases_offline(tmp_path):
    table = rows_of_run(tmp_path, "wandb")
    (log,) = tmp_path.glob(f"wandb/offline-run-*/run-{ids(tmp_path)['wandb']}.wandb")
    found = {}
    for record in wandb_records(log.read_bytes()):
        if record.WhichOneof("record_type") == "history":
            row = {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
            found[row["Basic/Step"]] = row[f"Basic/{REWARD}"]
    assert found == table
    assert list(table) == [1000, 2000, 3000]


def wandb_records(content):
    """Records of the library's own kind; its file is a log of LevelDB's form behind 7 bytes."""
    from wandb.proto.wandb_internal_pb2 import Record

    place, whole = 7, b""
    while place + 7 <= len(content):
        if (left := 32768 - place % 32768) < 7:  # a header never crosses the end of a block
            place += left
            continue
        _, length, kind = struct.unpack_from("<IHB", content, place)
        whole += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or its last part
            record = Record()
            record.ParseFromString(whole)
            yield record
            whole = b""


@needs("mlflow")
def test_mlflow_in_this_folder(tmp_path):
    import mlflow

    table = rows_of_run(tmp_path, "mlflow")
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/mlflow.db")
    history = client.get_metric_history(ids(tmp_path)["mlflow"], f"Basic/{REWARD}")
    assert {point.step: point.value for point in history} == table
    assert list(table) == [1000, 2000, 3000]
    run = client.get_run(ids(tmp_path)["mlflow"])
    assert run.info.status == "FINISHED"
    assert run.data.params["Basic.hyperparameters.batch_size"] == "32"


@needs("trackio")
def test_trackio_in_a_folder(tmp_path):
    table = rows_of_run(tmp_path, "trackio")
    ask = (
        "import json, trackio; from trackio.sqlite_storage import SQLiteStorage as S;"
        " (run,) = trackio.Api().runs('mlagents');"
        " print(json.dumps([run.name, run.config, S.get_logs('mlagents', run.name)]))"
    )
    environment = {**os.environ, "TRACKIO_DIR": str(tmp_path / "trackio")}  # it reads this as it is imported
    told = subprocess.run([sys.executable, "-c", ask], env=environment, capture_output=True, text=True, check=True)
    name, config, logs = json.loads(told.stdout.splitlines()[-1])
    assert name == ids(tmp_path)["trackio"] == "first"
    assert config["behaviors"]["Basic"]["hyperparameters"]["batch_size"] == 32
    assert {row["step"]: row[f"Basic/{REWARD}"] for row in logs} == table
    assert list(table) == [1000, 2000, 3000]
