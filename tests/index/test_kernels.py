"""Kernels against plain Python, compiled and uncompiled alike."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsr.index.compile import announce_with, kernels_cached, kernels_loaded, load_build_kernels, load_kernels
from lsr.index.kernels import heap_push

forms = [heap_push, heap_push.py_func]


@pytest.mark.parametrize("push", forms, ids=["compiled", "python"])
@given(keys=st.lists(st.integers(1, 2**62), max_size=60), k=st.integers(1, 12))
def test_the_heap_keeps_the_greatest(push: Callable[..., int], keys: list[int], k: int) -> None:
    heap = np.zeros(k, np.int64)
    size = 0
    for key in keys:
        size = push(heap, size, key)
    assert sorted(heap[:size].tolist(), reverse=True) == sorted(keys, reverse=True)[:k]


def test_only_a_compilation_is_announced() -> None:
    said: list[str] = []
    announce_with(said.append)
    try:
        load_kernels()
        load_build_kernels()
    finally:
        announce_with(None)
    assert said == []
    assert kernels_loaded()
    assert kernels_cached()
    assert kernels_cached("build_kernels")


def test_an_empty_cache_is_announced(tmp_path: Path) -> None:
    code = (
        "from lsr.index.compile import announce_with, load_kernels\n"
        "said = []\n"
        "announce_with(said.append)\n"
        "load_kernels()\n"
        "assert len(said) == 1 and 'once after an install' in said[0], said\n"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=240)
    again = code.replace("len(said) == 1 and 'once after an install' in said[0]", "said == []")
    subprocess.run([sys.executable, "-c", again], env=environment, check=True, timeout=240)
