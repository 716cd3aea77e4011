"""A segment file is what was written, or it is refused: every byte is covered."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from index_oracle import random_vectors

from lsr.errors import CorruptionError, FormatVersionError
from lsr.index.build import write_segment
from lsr.index.files import ArrayFile, FileSummary
from lsr.index.segment import Segment


@pytest.fixture
def segment(tmp_path: Path) -> tuple[Path, FileSummary]:
    vectors = random_vectors(np.random.default_rng(0), 400, 2000, 120)
    path = tmp_path / "one.seg"
    return path, write_segment(path, vectors, np.arange(400), 16.0)


def test_same_vectors_give_the_same_bytes(segment: tuple[Path, FileSummary], tmp_path: Path) -> None:
    again = tmp_path / "again.seg"
    vectors = random_vectors(np.random.default_rng(0), 400, 2000, 120)
    assert write_segment(again, vectors, np.arange(400), 16.0) == segment[1]
    assert again.read_bytes() == segment[0].read_bytes()
    assert not list(tmp_path.glob("*.tmp"))


def test_arrays_are_read_only_views(segment: tuple[Path, FileSummary]) -> None:
    opened = Segment(segment[0], expected=segment[1])
    with pytest.raises(ValueError, match="read-only"):
        opened.data[0] = 1


def test_any_flipped_bit_is_detected(segment: tuple[Path, FileSummary]) -> None:
    path, expected = segment
    good = path.read_bytes()
    rng = np.random.default_rng(5)
    places = {0, 9, 13, 17, len(good) - 1, *rng.integers(0, len(good), 300).tolist(), *range(0, 4096, 61)}
    harmless = 0
    for place in places:
        bad = bytearray(good)
        bad[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(bad)
        refusal = _refusal(path, expected)
        if refusal is not None:
            assert str(path) in refusal
        else:
            # Only padding between sections or before the checksum table may differ unseen.
            harmless += 1
            opened = ArrayFile(path, expected=expected)
            assert all(not _covers(opened, place, name) for name in opened.arrays)
    assert harmless < len(places) / 50


def _refusal(path: Path, expected: FileSummary) -> str | None:
    try:
        Segment(path, expected=expected).close()
    except (CorruptionError, FormatVersionError) as error:
        return str(error)
    return None


def _covers(file: ArrayFile, place: int, name: str) -> bool:
    array = file.arrays[name]
    start = array.ctypes.data - np.frombuffer(file._map, np.uint8).ctypes.data
    return start <= place < start + array.nbytes


@pytest.mark.parametrize("size", [0, 1, 31, 100, 5000])
def test_truncation_is_detected(segment: tuple[Path, FileSummary], size: int) -> None:
    path, expected = segment
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(CorruptionError, match=r"one\.seg is damaged"):
        Segment(path, expected=expected)


def test_appended_bytes_are_detected(segment: tuple[Path, FileSummary]) -> None:
    path, expected = segment
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(CorruptionError, match="its header says"):
        Segment(path, expected=expected)


def test_a_sound_file_of_another_commit_is_refused(segment: tuple[Path, FileSummary]) -> None:
    path, expected = segment
    other = random_vectors(np.random.default_rng(9), 400, 2000, 120)
    write_segment(path, other, np.arange(400), 16.0)
    with pytest.raises(CorruptionError, match="not the one that the commit names"):
        Segment(path, expected=expected)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorruptionError, match=r"gone\.seg is damaged: it is missing"):
        Segment(tmp_path / "gone.seg")


def test_another_version_is_named(segment: tuple[Path, FileSummary]) -> None:
    path, _ = segment
    data = bytearray(path.read_bytes())
    data[8:12] = struct.pack("<I", 99)
    path.write_bytes(data)
    with pytest.raises(FormatVersionError, match="segment format 99, this version of lsr reads 2"):
        Segment(path)


@pytest.mark.parametrize(
    "ordinals",
    [np.arange(399), np.arange(400)[::-1], np.zeros(400, np.int64), np.arange(400) - 1, np.arange(400) + 2**32],
)
def test_ordinals_must_ascend_within_32_bits(tmp_path: Path, ordinals: np.ndarray) -> None:
    vectors = random_vectors(np.random.default_rng(0), 400, 2000, 12)
    with pytest.raises(ValueError, match="ordinals"):
        write_segment(tmp_path / "x", vectors, ordinals, 16.0)
    assert not list(tmp_path.iterdir())


def test_terms_far_apart(tmp_path: Path) -> None:
    from lsr.vectors import SparseVectors

    vectors = SparseVectors.from_dicts([{7: 1.0, 2**32 - 1: 2.0}, {2**31: 1.0}], 2**32)
    write_segment(tmp_path / "s", vectors, np.arange(2), 2.0)
    segment = Segment(tmp_path / "s")
    assert segment.terms.tolist() == [7, 2**31, 2**32 - 1]
    assert segment.impacts_of(0, segment.terms).tolist() == [128, 0, 255]
