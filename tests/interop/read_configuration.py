"""Reads configuration files with the original trainer's own settings; run by the interpreter of `.venv-interop`.

The settings of each trainer stand in modules that import torch, which is large and computes nothing here: their
classes are taken out of those files, word for word, and run beside the rest of the settings.
"""

import ast
import sys
from pathlib import Path

import yaml

from mlagents import plugins
from mlagents.trainers import settings


def settings_class(trainer, name):
    source = Path(settings.__file__).with_name(trainer) / "optimizer_torch.py"
    found = [
        node for node in ast.parse(source.read_text()).body if isinstance(node, ast.ClassDef) and node.name == name
    ]
    names = dict(vars(settings))
    exec(compile(ast.Module(found, []), str(source), "exec"), names)
    return names[name]


for trainer, name in (("ppo", "PPOSettings"), ("sac", "SACSettings"), ("poca", "POCASettings")):
    plugins.all_trainer_types[trainer] = object
    plugins.all_trainer_settings[trainer] = settings_class(trainer, name)

for path in sys.argv[1:]:
    settings.TrainerSettings.default_override = None
    try:
        options = settings.RunOptions.from_dict(yaml.safe_load(Path(path).read_text()))
    except Exception as error:
        print(f"{path}: {type(error).__name__}: {error}")
    else:
        print(f"{path}: read: {' '.join(sorted(options.behaviors))}")
