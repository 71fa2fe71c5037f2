"""The official `mlagents-envs` 1.1.0 drives our environments: it sees what our own process sees, bit for bit."""

from __future__ import annotations

import json

import numpy as np
import pytest
from interop_support import PARAMETERS, STEPS, load  # placeholder
