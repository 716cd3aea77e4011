"""Kernels against plain Python, compiled and uncompiled alike."""

from __future__ import annotations

import itertools
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
from lsr.index.hit_kernels import group_maxima, heap_push, kth_maximum, offer, wide_maxima
from lsr.index.layout import BUCKETS, GROUP, GROUPS

forms = [heap_push, heap_push.py_func]


@pytest.mark.parametrize("push", forms, ids=["compiled", "python"])
@given(keys=st.lists(st.integers(1, 2**62), max_size=60), k=st.integers(1, 12))
def test_the_heap_keeps_the_greatest(push: Callable[..., int], keys: list[int], k: int) -> None:
    heap = np.zeros(k, np.int64)
    size = 0
    for key in keys:
        size = push(heap, size, key)
    assert sorted(heap[:size].tolist(), reverse=True) == sorted(keys, reverse=True)[:k]


@pytest.mark.parametrize("kernel", [offer, offer.py_func], ids=["compiled", "python"])
@pytest.mark.parametrize("room", [10, 50, 200])
@given(
    parts=st.lists(st.lists(st.integers(1, 2**62), max_size=60, unique=True), max_size=5),
    k=st.integers(1, 40),
)
def test_many_keys_at_once_leave_a_heap_of_the_greatest(
    kernel: Callable[..., int], room: int, parts: list[list[int]], k: int
) -> None:
    heap, size = np.zeros(k, np.int64), 0
    unique = [[key for key in part if not any(key in other for other in parts[:n])] for n, part in enumerate(parts)]
    for part in unique:
        for begin in range(0, len(part), room):
            some = part[begin : begin + room]
            keys = np.zeros(max(room, 64), np.int64)
            keys[: len(some)] = some
            size = kernel(keys, len(some), heap, size)
            assert all(heap[(place - 1) // 2] <= heap[place] for place in range(1, size))
    assert sorted(heap[:size].tolist(), reverse=True) == sorted(itertools.chain(*unique), reverse=True)[:k]


@pytest.mark.parametrize("kernel", [wide_maxima, wide_maxima.py_func], ids=["compiled", "python"])
@given(maxima=st.lists(st.integers(0, 2**16 - 1), min_size=1, max_size=40))
def test_maxima_of_groups_of_groups(kernel: Callable[..., int], maxima: list[int]) -> None:
    tops = np.full(len(maxima), 7, np.uint16)
    count = kernel(np.array(maxima, np.uint16), len(maxima), tops)
    assert tops[:count].tolist() == [max(maxima[at : at + GROUPS]) for at in range(0, len(maxima), GROUPS)]


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
