"""What is written is what is read, for every format, with hypothesis; in any size of batch, compressed or not."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from interchange_help import PLAIN, WORDS, Rows, as_rows, batches, floats, rows_of, some_rows, whole

from lsr.interchange import Vocabulary, read_vectors, write_vectors
from lsr.vectors import SparseVectors

sizes = st.integers(1, 9)
suffixes = st.sampled_from(["", ".gz", ".zst"])


def through(name: str, format: str, rows: Rows, words: list[str], size: int) -> Rows:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        written = write_vectors(path, format, batches(rows, words), words=words)
        assert written.documents == len(rows)
        assert written.postings == sum(map(len, rows.values()))
        assert written.scale == 1.0
        assert not list(Path(folder).glob("*.tmp"))
        assert not list(Path(folder).glob(".*"))
        source = read_vectors(path, format, batch=size)
        assert source.vocabulary is not None
        read = as_rows(source, source.vocabulary)
        assert read == as_rows(source, source.vocabulary), "a second reading differs"
        assert as_rows(read_vectors(path, format, words=words), words) == read
        return read


@given(rows_of(WORDS, floats), sizes, suffixes, st.sampled_from(["anserini", "seismic"]))
def test_json_lines(rows: Rows, size: int, suffix: str, format: str) -> None:
    assert through(f"v.jsonl{suffix}", format, rows, WORDS, size) == rows


@given(rows_of(PLAIN, whole, lines=True), sizes, suffixes)
def test_anserini_tsv(rows: Rows, size: int, suffix: str) -> None:
    assert through(f"v.tsv{suffix}", "anserini-tsv", rows, PLAIN, size) == rows


@given(rows_of(WORDS, whole), sizes, suffixes)
def test_ciff_of_whole_weights(rows: Rows, size: int, suffix: str) -> None:
    assert through(f"v.ciff{suffix}", "ciff", rows, WORDS, size) == rows


@given(rows_of(PLAIN, floats, lines=True), sizes, st.sampled_from([("v.npz", "scipy"), ("v.bin", "seismic-raw")]))
def test_formats_of_numbers(rows: Rows, size: int, target: tuple[str, str]) -> None:
    assert through(*target, rows, PLAIN, size) == rows


@given(rows_of(WORDS, floats))
def test_ciff_of_floats_is_within_half_a_unit(rows: Rows) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "v.ciff"
        written = write_vectors(path, None, batches(rows, WORDS), words=WORDS)
        read = as_rows(read_vectors(path, words=WORDS), WORDS)
        raw = as_rows(read_vectors(path, words=WORDS, scale=1.0), WORDS)
    assert list(read) == list(rows)
    for name, row in rows.items():
        assert read[name].keys() == row.keys()
        for word, weight in row.items():
            assert raw[name][word] == round(raw[name][word])
            assert read[name][word] == np.float32(raw[name][word] * written.scale)
            if written.scale != 1.0:
                assert 1 <= raw[name][word] <= 255
                assert raw[name][word] == 1 or abs(read[name][word] - weight) <= 0.501 * written.scale


@pytest.mark.parametrize("memory", [1, 5000, None])
def test_ciff_with_little_memory_gives_the_same_bytes_and_rows(tmp_path: Path, memory: int | None) -> None:
    words = [f"w{number}" for number in range(500)]
    rows = some_rows(1, 300, words, 80)
    write_vectors(tmp_path / "all.ciff", None, batches(rows, words, 7), words=words)
    write_vectors(tmp_path / "part.ciff", None, batches(rows, words, 7), words=words, memory=memory)
    assert (tmp_path / "part.ciff").read_bytes() == (tmp_path / "all.ciff").read_bytes()
    source = read_vectors(tmp_path / "part.ciff", memory=memory, batch=11, scratch=tmp_path)
    assert source.vocabulary is not None
    assert as_rows(source, source.vocabulary) == rows
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.ciff", "part.ciff"]


def test_ciff_lists_longer_than_one_piece(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    n = 180_000
    terms = np.tile(np.array([0, 1], np.uint32), n)
    terms[1::2000] = 2
    vectors = SparseVectors(np.arange(0, 2 * n + 1, 2), terms, rng.integers(1, 400, 2 * n).astype(np.float32), 3)
    words = ["common", "most", "rare"]
    write_vectors(tmp_path / "v.ciff", None, [([str(row) for row in range(n)], vectors)], words=words)
    assert (tmp_path / "v.ciff").stat().st_size > 3 << 20
    read = list(read_vectors(tmp_path / "v.ciff", words=words, batch=50_000))
    assert [name for ids, _ in read for name in ids] == [str(row) for row in range(n)]
    assert SparseVectors.concat([batch for _, batch in read]) == vectors


def test_a_chain_through_every_format(tmp_path: Path) -> None:
    words = [word for word in PLAIN if word != "-1"]
    rows = some_rows(5, 40, words, len(words))
    vocabulary = Vocabulary(words)
    source = batches(rows, words)
    chain = [("a.jsonl.gz", "anserini"), ("b.ciff", "ciff"), ("c.npz", "scipy"), ("d.bin", "seismic-raw")]
    chain += [("e.tsv", "anserini-tsv"), ("f.jsonl", "seismic"), ("g.ciff.zst", "ciff")]
    for name, format in chain:
        write_vectors(tmp_path / name, format, source, words=vocabulary)
        source = list(read_vectors(tmp_path / name, format, words=vocabulary))
        assert as_rows(source, vocabulary) == rows, format
    assert len(vocabulary) == len(words)


@given(rows_of(WORDS, floats), st.sampled_from([("v.jsonl", "anserini"), ("v.ciff", "ciff")]))
def test_a_ceiling_makes_impacts(rows: Rows, target: tuple[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / target[0]
        written = write_vectors(path, target[1], batches(rows, WORDS), words=WORDS, ceiling=2.0**20)
        read = as_rows(read_vectors(path, words=WORDS, scale=1.0 if target[1] == "ciff" else None), WORDS)
    assert not rows or written.scale == 2.0**20 / 255
    for name, row in rows.items():
        for word, weight in row.items():
            assert read[name][word] == max(1, np.rint(np.float32(weight) * np.float32(255 / 2.0**20)))
