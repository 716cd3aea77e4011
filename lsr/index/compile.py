"""Loading the compiled kernels, and saying so when that means compiling them: once after an install, half a minute."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path


def kernels_cached(module: str = "search_kernels") -> bool:
    """True where numba's cache seems to hold the kernels of a module as it is now; a guess that costs microseconds.

    Looks where numba does: `$NUMBA_CACHE_DIR`, beside the source, the user's cache folder.
    """
    source = Path(__file__).with_name(f"{module}.py")
    pattern = f"{module}.*-*.py{sys.version_info.major}{sys.version_info.minor}.nbi"
    user = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    folders = [(user, f"numba/*/{pattern}"), (source.parent / "__pycache__", pattern)]
    if named := os.environ.get("NUMBA_CACHE_DIR"):
        folders = [(Path(named), f"*/{pattern}")]
    source_time = source.stat().st_mtime
    found = [file for folder, glob in folders for file in folder.glob(glob)]
    return any(file.stat().st_mtime >= source_time for file in found)


_announce: Callable[[str], None] | None = None


def announce_with(announce: Callable[[str], None] | None) -> None:
    """Call `announce` with a sentence before kernels are compiled, and only then; for programs that talk."""
    global _announce
    _announce = announce


def kernels_loaded() -> bool:
    """True once this process has the search kernels ready."""
    return "lsr.index.search_kernels" in sys.modules


def load_kernels() -> None:
    """Make the search kernels ready: some tenths of a second, or half a minute where they must be compiled."""
    if _announce is not None and not kernels_loaded() and not kernels_cached():
        _announce("Compiling the search kernels: once after an install, half a minute …")
    import lsr.index.search_kernels  # noqa: F401


def load_build_kernels() -> None:
    """Make the kernels ready that build segments."""
    if _announce is not None and "lsr.index.build_kernels" not in sys.modules and not kernels_cached("build_kernels"):
        _announce("Compiling the kernels that build segments: once after an install, some seconds …")
    import lsr.index.build_kernels  # noqa: F401
