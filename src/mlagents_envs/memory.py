"""Memory of libraries whose work is done."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

_MADV_PAGEOUT = 21


def page_out_library(name: str) -> None:
    """Let the system reclaim the resident pages of a shared library, such as a compiler after its last compilation.

    What is called again is read from the file again. On systems without MADV_PAGEOUT (it came with Linux 5.4) nothing
    happens.

    Args:
      name: part of the library's path.
    """
    if sys.platform != "linux":
        return
    madvise = ctypes.CDLL(None, use_errno=True).madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for line in Path("/proc/self/maps").read_text().splitlines():
        if name in line:
            start, stop = (int(address, 16) for address in line.split()[0].split("-"))
            madvise(start, stop - start, _MADV_PAGEOUT)
