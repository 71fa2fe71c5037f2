"""The room needs numpy and nothing else."""

from __future__ import annotations

import subprocess
import sys


def test_it_loads_no_other_library():
    code = (
        "import sys, mlagents, numpy.lib.stride_tricks, numpy.random\n"
        "before = {name.split('.')[0] for name in sys.modules}\n"
        "import mlagents.barracuda\n"
        "after = {name.split('.')[0] for name in sys.modules}\n"
        "sys.exit(', '.join(sorted(after - before - sys.stdlib_module_names)) or 0)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
