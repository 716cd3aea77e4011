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
from kernel_stamps import kernel_modules, line_for, line_in

from lsr.index.compile import announce_with, kernels_cached, kernels_loaded, load_build_kernels, load_kernels
from lsr.index.kernels import group_maxima, heap_push, kth_maximum
from lsr.index.layout import BUCKETS, GROUP

forms = [heap_push, heap_push.py_func]


@pytest.mark.parametrize("push", forms, ids=["compiled", "python"])
@given(keys=st.lists(st.integers(1, 2**62), max_size=60), k=st.integers(1, 12))
def test_the_heap_keeps_the_greatest(push: Callable[..., int], keys: list[int], k: int) -> None:
    heap = np.zeros(k, np.int64)
    size = 0
    for key in keys:
        size = push(heap, size, key)
    assert sorted(heap[:size].tolist(), reverse=True) == sorted(keys, reverse=True)[:k]


@pytest.mark.parametrize("kernel", [kth_maximum, kth_maximum.py_func], ids=["compiled", "python"])
@given(sums=st.lists(st.integers(0, 2**32 - 1) | st.integers(0, 9), min_size=1, max_size=90), k=st.integers(1, 20))
def test_the_threshold_of_group_maxima_keeps_the_k_best(kernel: Callable[..., int], sums: list[int], k: int) -> None:
    padded = -(-len(sums) // GROUP) * GROUP
    array = np.zeros(padded, np.uint32)
    array[: len(sums)] = sums
    maxima = np.zeros(padded // GROUP, np.uint32)
    greatest = group_maxima(array, padded, maxima)
    assert maxima.tolist() == array.reshape(-1, GROUP).max(axis=1).tolist()
    assert greatest == max(sums)
    threshold = kernel(maxima, len(maxima), int(greatest), k, np.zeros(BUCKETS, np.int64))
    assert threshold >= 1
    assert threshold == 1 or sum(value >= threshold for value in sums) >= k


@pytest.mark.parametrize("module", kernel_modules(), ids=lambda path: str(path.stem))
def test_kernel_modules_change_with_what_they_compile_in(module: Path) -> None:
    assert line_in(module) == line_for(module), "run `python tests/kernel_stamps.py`"


def test_only_a_compilation_is_announced() -> None:
    load_kernels()  # once compiled, nothing is said any more
    load_build_kernels()
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
