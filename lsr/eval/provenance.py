"""Where a figure comes from: code, command, machine, libraries. What is recorded of data and system, `evaluate` adds.

Asks git and the operating system, and never fails for want of an answer: what cannot be known is None.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import lsr

#: Distributions whose version can change a figure.
LIBRARIES = (
    "numpy",
    "numba",
    "scipy",
    "tokenizers",
    "onnxruntime",
    "PyStemmer",
    "torch",
    "transformers",
    "ir-measures",
    "pytrec-eval-terrier",
    "ir-datasets",
    "bm25s",
)


def environment(*, command: str | None = None, threads: int = 1, seed: int | None = None) -> dict[str, Any]:
    """Code, command, libraries and machine as a JSON object.

    Parameters
    ----------
    command : str, optional
        What was run; this process's own command line by default.
    threads : int
        How many the search used.
    seed : int, optional
        Of the random generator, where one was used.
    """
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(sys.argv) if command is None else command,
        "lsr": version("lsr-engine"),
        "git": git_state(),
        "python": platform.python_version(),
        "libraries": {name: found for name in LIBRARIES if (found := version(name)) is not None},
        "platform": platform.platform(),
        "cpu": cpu_model(),
        "cpus": os.cpu_count(),
        "threads": threads,
        "seed": seed,
    }


def version(distribution: str) -> str | None:
    """Version of an installed distribution, without importing it."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def git_state() -> dict[str, Any] | None:
    """`{"commit", "dirty"}` of the checkout that lsr runs from, None where it is not one.

    A package that was installed below somebody's repository is not that repository's: the package must be tracked.
    """
    package = Path(lsr.__file__).resolve().parent
    if _git(package, "ls-files", "--error-unmatch", "__init__.py") is None:
        return None
    commit, changes = _git(package, "rev-parse", "HEAD"), _git(package, "status", "--porcelain")
    if commit is None or changes is None:
        return None
    return {"commit": commit, "dirty": bool(changes)}


def cpu_model() -> str | None:
    """The processor's name as the operating system gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.lower().startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine() or None


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
