"""Memory of the compiler that nobody needs after the first step."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

_MADV_PAGEOUT = 21
_COMPILER = "libllvmlite"


def page_out_compiler() -> None:
    """Let the system reclaim the pages of LLVM's own code: some 65 MB in every process that runs compiled code.

    They are read from the file again should anything more be compiled. On systems without MADV_PAGEOUT (it came with
    Linux 5.4) nothing happens.
    """
    if sys.platform != "linux":
        return
    madvise = ctypes.CDLL(None, use_errno=True).madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for line in Path("/proc/self/maps").read_text().splitlines():
        if _COMPILER in line:
            start, stop = (int(address, 16) for address in line.split()[0].split("-"))
            madvise(start, stop - start, _MADV_PAGEOUT)
