"""Settings of `many_agents`, for every system alike; all else is as in `official`."""

from __future__ import annotations

import argparse
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """What differs from the official settings of 3DBall."""

    agents: int = 1024
    batch_size: int = 4096
    buffer_size: int = 32768
    max_steps: int = 1_310_720

    def flags(self) -> list[str]:
        """Return what `parse` reads."""
        return [f"--{name.replace('_', '-')}={value}" for name, value in vars(self).items()]


def parse(description: str | None) -> Settings:
    """Return the settings of the command line."""
    parser = argparse.ArgumentParser(description=description)
    for name, value in vars(Settings()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=value)
    return Settings(**vars(parser.parse_args()))
