"""Every bad input is refused by name, and nothing is left behind."""

from __future__ import annotations

import gzip
import os
import struct
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from interchange_help import as_rows

from lsr.errors import InvalidSettingError, InvalidVectorsError, LsrError, MalformedDocumentError, SourceError
from lsr.interchange import Batch, Vocabulary, list_formats, read_vectors, write_vectors
from lsr.vectors import SparseVectors

ONE = (["a"], SparseVectors.from_dicts([{0: 1.0}], 2))
WORDS = ["x", "y"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"id": "a", "vector": {"x": -1}}', r"line 2: the word 'x' has weight -1.0: weights must be finite"),
        ('{"id": "a", "vector": {"x": NaN}}', "line 2: malformed JSON: NaN is not a number that JSON has"),
        ('{"id": "a", "vector": {"x": -Infinity}}', "-Infinity is not a number"),
        ('{"id": "a", "vector": {"x": 1e999}}', "has weight inf"),
        ('{"id": "a", "vector": {"x": 1e40}}', "has weight 1e\\+40: more than 32-bit floats hold"),
        ('{"id": "a", "vector": {"x": 1' + "0" * 400 + "}}", "more than 32-bit floats hold"),
        ('{"id": "a", "vector": {"x": -1' + "0" * 400 + "}}", "must be finite and not negative"),
        ('{"id": "a", "vector": {"x": 1' + "0" * 5000 + "}}", "malformed JSON: Exceeds the limit"),
        ('{"id": "a", "vector": {"x": "1"}}', "the word 'x' has weight \"1\", which is not a number"),
        ('{"id": "a", "vector": {"x": true}}', "has weight true"),
        ('{"id": "a", "vector": {"x": 1, "x": 2}}', "the name 'x' comes twice"),
        ('{"id": "a", "vector": {"": 1}}', "a word of the vector is empty"),
        ('{"id": "a", "vector": {"\\ud800": 1}}', "lone surrogate"),
        ('{"id": "a", "vector": [1]}', r"the vector is \[1\], it must be an object"),
        ('{"id": "a"}', r"no field 'vector' \(it has 'id'\)"),
        ('{"vector": {}}', "no field 'id'"),
        ('{"id": null, "vector": {}}', "the id is None"),
        ('{"id": true, "vector": {}}', "the id is True"),
        ('{"id": "", "vector": {}}', "the id is empty"),
        ('{"id": "first", "vector": {}}', "line 2: the id 'first' was given to an earlier document"),
        ("[1]", "a JSON object is expected"),
        ('{"id": "a", "vector": {"x": 1}', "malformed JSON: Expecting ',' delimiter at column 31"),
        ("[" * 100_000, "malformed JSON"),
    ],
)
def test_bad_json_lines(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "v.jsonl"
    path.write_text('{"id": "first", "vector": {"x": 1}}\n' + line + "\n")
    with pytest.raises(MalformedDocumentError, match=message) as caught:
        list(read_vectors(path))
    assert str(path) in str(caught.value)


def test_bad_bytes_of_lines(tmp_path: Path) -> None:
    path = tmp_path / "v.jsonl"
    path.write_bytes(b'{"id": "\xff"}')
    with pytest.raises(MalformedDocumentError, match="invalid UTF-8: byte 0xff at position 9"):
        list(read_vectors(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("q1 x y\n", "line 1: there must be one tab"),
        ("q1\tx\ty\n", "there must be one tab"),
        ("\tx\n", "the id is empty"),
        ('q1\t{"x": 1\n', "malformed JSON"),
        ("q1\tx\nq1\ty\n", "line 2: the id 'q1' was given"),
    ],
)
def test_bad_tsv(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "q.tsv").write_text(text)
    with pytest.raises(MalformedDocumentError, match=message):
        list(read_vectors(tmp_path / "q.tsv"))


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_cut_compression(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"v.jsonl{suffix}"
    write_vectors(path, None, [([str(n)], SparseVectors.from_dicts([{0: n + 1}], 1)) for n in range(500)], words=["x"])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(SourceError, match="damaged or cut short"):
        list(read_vectors(path))
    path.write_text("{}")
    kind = {".gz": "gzip", ".zst": "zstd"}[suffix]
    with pytest.raises(SourceError, match=f"is not {kind} data, as its name says"):
        list(read_vectors(path))


def raw(*numbers: int | float) -> bytes:
    return b"".join(struct.pack("<f" if isinstance(number, float) else "<I", number) for number in numbers)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "cut short: it ends 4 bytes before the end of its count"),
        (raw(1), "ends 4 bytes before the end of vector 0 of 1"),
        (raw(2, 1, 0, 1.0), "vector 1 of 2"),
        (raw(1, 2**32 - 1, 0, 1.0), "cut short"),
        (raw(2**32 - 1, 0), "cut short"),
        (raw(1, 1, 0, 1.0, 9), "bytes follow after the 1 vectors"),
        (raw(1, 1, 5, -1.0), "row 0: column 5 has weight -1.0"),
        (raw(1, 1, 5, float("nan")), "row 0: column 5 has weight nan"),
        (raw(1, 1, 5, float("inf")), "has weight inf"),
        (raw(1, 2, 5, 5, 1.0, 1.0), "row 0: column 5 comes twice"),
    ],
)
def test_bad_raw_vectors(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "v.bin").write_bytes(data)
    with pytest.raises(SourceError, match=message):
        list(read_vectors(tmp_path / "v.bin", number_rows=True))


GOOD: dict[str, Any] = {
    "indices": np.array([0, 1, 1]),
    "indptr": np.array([0, 2, 3]),
    "format": np.array(b"csr"),
    "shape": np.array([2, 3]),
    "data": np.array([1.0, 2.0, 3.0]),
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": np.array("csc")}, "in the layout 'csc'.*tocsr"),
        ({"format": np.array(3)}, "which is no string"),
        ({"shape": np.array([2])}, "1 axes"),
        ({"shape": np.array([-1, 3])}, "has the shape"),
        ({"shape": np.array([2, 2**40])}, "has the shape"),
        ({"shape": np.array([2, 1])}, "row 0: column 1 is outside 0..0"),
        ({"shape": np.array([3, 3])}, "do not fit together"),
        ({"indices": np.array([0, -1, 1])}, "row 0: column -1 is outside"),
        ({"indices": np.array([1, 1, 1])}, "row 0: column 1 comes twice"),
        ({"indices": np.array([1, 1])}, "do not fit together"),
        ({"indices": np.array([1.0, 1.0, 1.0])}, "has dtype float64"),
        ({"indptr": np.array([0, 3, 2])}, "row borders decrease"),
        ({"indptr": np.array([0, 2, 9])}, "exceed 3"),
        ({"indptr": np.array([1, 2, 3])}, "begins at 1"),
        ({"indptr": np.array([0, 2, 2])}, "longer than the matrix"),
        ({"data": np.array([1.0, np.nan, 3.0])}, "row 0: column 1 has weight nan"),
        ({"data": np.array([1, 1, -3])}, "row 1: column 1 has weight -3"),
        ({"data": np.array([1.0, 1e300, 3.0])}, "more than 32-bit floats hold"),
        ({"data": np.array([1j, 1, 1])}, "complex128"),
        ({"data": np.array([[1.0, 2.0, 3.0]])}, "shape \\(1, 3\\)"),
        ({"data": np.array([None, 1, 2], object)}, "has dtype object"),
        ({"data": None}, "holds no array 'data'"),
    ],
)
def test_bad_matrices(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    arrays = {name: array for name, array in {**GOOD, **change}.items() if array is not None}
    np.savez(tmp_path / "v.npz", **arrays)
    with pytest.raises(SourceError, match=message):
        list(read_vectors(tmp_path / "v.npz", number_rows=True))


def test_damaged_archives(tmp_path: Path) -> None:
    path = tmp_path / "v.npz"
    np.savez_compressed(path, **GOOD)
    good = path.read_bytes()
    path.write_bytes(good[:-30])
    with pytest.raises(SourceError, match=r"not a sound \.npz"):
        list(read_vectors(path, number_rows=True))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("format.npy", "no array")
    with pytest.raises(SourceError, match="header of the array 'format' is damaged"):
        list(read_vectors(path, number_rows=True))
    rng = np.random.default_rng(0)
    for _ in range(300):
        bad = bytearray(good)
        for place in rng.integers(0, len(bad), 2):
            bad[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(bad)
        refused_or_read(path, number_rows=True)


def test_fuzzed_raw_vectors(tmp_path: Path) -> None:
    path = tmp_path / "v.bin"
    good = raw(3, 2, 0, 7, 1.0, 2.0, 0, 1, 9, 0.5)
    rng = np.random.default_rng(0)
    for _ in range(300):
        bad = bytearray(good)
        bad[int(rng.integers(len(bad)))] = int(rng.integers(256))
        path.write_bytes(bad[: int(rng.integers(len(bad) + 1))])
        refused_or_read(path, number_rows=True)


def refused_or_read(path: Path, **settings: Any) -> None:
    with suppress(LsrError):
        list(read_vectors(path, **settings))


def test_sidecars_must_fit(tmp_path: Path) -> None:
    path = tmp_path / "v.bin"
    path.write_bytes(raw(2, 1, 0, 1.0, 1, 1, 2.0))
    with pytest.raises(SourceError, match=r"v.bin.ids.txt does not exist.*number_rows"):
        read_vectors(path)
    for text, message in [
        ("a\n", "has 1 ids, .* has more rows"),
        ("a\nb\nc\n", "more ids than .* which are 2"),
        ("a\na\n", "line 2: the id 'a' was given to an earlier row"),
        ("a\n\n", "line 2: the id is empty"),
    ]:
        (tmp_path / "named.txt").write_text(text)
        with pytest.raises(SourceError, match=message):
            list(read_vectors(path, ids=tmp_path / "named.txt"))
    (tmp_path / "v.bin.words.txt").write_text("x\nx\n")
    with pytest.raises(MalformedDocumentError, match="'x' is twice"):
        read_vectors(path, number_rows=True)
    (tmp_path / "v.bin.words.txt").write_text("x\n")
    with pytest.raises(SourceError, match=r"row 1: column 1 is outside 0..0"):
        list(read_vectors(path, number_rows=True))
    (tmp_path / "v.bin.words.txt").write_text("x\ny\n")
    with pytest.raises(SourceError, match="'y' is not in the vocabulary"):
        list(read_vectors(path, number_rows=True, words=["x"]))
    assert as_rows(read_vectors(path, number_rows=True, words=["x"], unknown="skip"), ["x"]) == {"0": {"x": 1}, "1": {}}
    assert as_rows(read_vectors(path, number_rows=True, words=["y", "x"]), ["y", "x"]) == {"0": {"x": 1}, "1": {"y": 2}}


def test_unknown_words(tmp_path: Path) -> None:
    path = tmp_path / "v.jsonl"
    path.write_text('{"id": 1, "vector": {"x": 1, "new": 2}}')
    with pytest.raises(MalformedDocumentError, match=r"line 1: the word 'new' is not in the vocabulary of 2 words"):
        list(read_vectors(path, words=WORDS))
    ((_, vectors),) = read_vectors(path, words=WORDS, unknown="skip")
    assert vectors == SparseVectors.from_dicts([{0: 1.0}], 2)
    growing = Vocabulary(WORDS)
    ((_, vectors),) = read_vectors(path, words=growing)
    assert vectors == SparseVectors.from_dicts([{0: 1.0, 2: 2.0}], 2**32)
    assert growing.words([2]) == ["new"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: read_vectors(p, "cif"), "no format of vectors is called 'cif'. Did you mean 'ciff'"),
        (lambda p: read_vectors(p, "NPZ"), "Did you mean 'scipy'"),
        (lambda p: read_vectors(p, "~"), "'~'. Known are anserini, anserini-tsv, ciff, scipy, seismic, seismic-raw"),
        (lambda p: read_vectors(p.with_name("odd.xyz")), "the suffix '.xyz' stands for is unknown"),
        (lambda p: read_vectors(p, batch=0), "batch is 0"),
        (lambda p: read_vectors(p, scale=2.0), "anserini knows no scale"),
        (lambda p: read_vectors(p, "ciff", scale=-1.0), "scale is -1.0"),
        (lambda p: read_vectors(p, "ciff", memory=0), "memory is 0"),
        (lambda p: read_vectors(p, "ciff", scratch=p), "which is no folder"),
        (lambda p: read_vectors(p, number_rows=True), "neither ids nor number_rows"),
        (lambda p: read_vectors(p, unknown="skip"), "means nothing without a vocabulary"),
        (lambda p: read_vectors(p, words=["a"], unknown=cast(Any, "what")), "unknown is 'what'"),
        (lambda p: read_vectors(p, "scipy", ids=p, number_rows=True), "exclude each other"),
        (lambda p: write_vectors(p, None, [ONE], words=WORDS), "exists already"),
        (lambda p: write_vectors(p.parent / "no" / "v.jsonl", None, [ONE], words=WORDS), "does not exist"),
        (lambda p: write_vectors(p.with_name("n.jsonl"), None, [ONE]), "anserini needs words"),
        (lambda p: write_vectors(p.with_name("n.npz"), None, [ONE], ceiling=1.0), "scipy knows no ceiling"),
        (lambda p: write_vectors(p.with_name("n.npz.gz"), None, [ONE]), "not written compressed"),
        (lambda p: write_vectors(p.with_name("n.ciff"), None, [ONE], words=WORDS, ceiling=0.0), "ceiling is 0.0"),
    ],
)
def test_bad_settings(tmp_path: Path, call: Callable[[Path], Any], message: str) -> None:
    path = tmp_path / "v.jsonl"
    path.write_text("")
    (tmp_path / "odd.xyz").write_text("")
    with pytest.raises(InvalidSettingError, match=message):
        call(path)


def test_missing_paths(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"none.ciff does not exist"):
        read_vectors(tmp_path / "none.ciff")
    with pytest.raises(SourceError, match=r"holds no file in \.jsonl"):
        list(read_vectors(tmp_path))
    with pytest.raises(SourceError, match="is a folder, ciff is a single file"):
        read_vectors(tmp_path, "ciff")
    with pytest.raises(InvalidVectorsError, match="not the string 'xy'"):
        read_vectors(tmp_path, words="xy")


def vectors(*rows: dict[int, float]) -> SparseVectors:
    return SparseVectors.from_dicts(rows, 3)


@pytest.mark.parametrize(
    ("name", "batch", "words", "message"),
    [
        ("v.jsonl", (["a"], vectors({}, {})), WORDS, "1 ids for 2 vectors"),
        ("v.jsonl", (["a", "a"], vectors({}, {})), WORDS, "the id 'a' is given to two documents"),
        ("v.jsonl", ([""], vectors({})), WORDS, "the id of document 0 is empty"),
        ("v.jsonl", (["\ud800"], vectors({})), WORDS, "lone surrogate"),
        ("v.jsonl", (["a"], vectors({2: 1.0})), WORDS, "term 2 has no word: there are 2"),
        ("v.ciff", (["a"], vectors({2: 1.0})), WORDS, "term 2 has no word: there are 2"),
        ("v.npz", (["a"], vectors({2: 1.0})), WORDS, "term 2 has no word: there are 2"),
        ("v.jsonl", (["a"], vectors({})), ["x", "x"], "'x' is twice"),
        ("v.jsonl", (["a"], vectors({})), ["x", ""], "word 1 of the vocabulary is empty"),
        ("v.npz", (["a\nb"], vectors({})), None, "holds a line break"),
        ("v.bin", (["\ufeffa"], vectors({})), None, "byte order mark"),
        ("v.bin", (["a"], vectors({})), ["x\r"], "the word 'x\\\\r' holds a line break"),
        ("v.tsv", (["a\tb"], vectors({})), WORDS, "holds a tab"),
        ("v.tsv", (["a"], vectors({0: 1.5})), WORDS, "a weight is 1.5, repeated words"),
        ("v.tsv", (["a"], vectors({0: 1.0})), ["x y"], "cannot be told apart"),
        ("v.tsv", (["a"], vectors({0: 1.0})), ['{"'], "cannot be told apart"),
        ("v.tsv", (["a"], vectors({0: 1e9})), WORDS, "1000000000 repetitions"),
        ("v.ciff", (["a"], vectors({0: 2e9, 1: 2e9})), WORDS, "document 0 add up to 4000000000"),
    ],
)
def test_what_cannot_be_written_leaves_nothing(
    tmp_path: Path, name: str, batch: Batch, words: list[str] | None, message: str
) -> None:
    with pytest.raises(InvalidVectorsError, match=message):
        write_vectors(tmp_path / name, None, [batch], words=words)
    assert not list(tmp_path.iterdir())


def test_a_weight_above_the_ceiling(tmp_path: Path) -> None:
    for name in ("v.ciff", "v.jsonl", "v.tsv"):
        with pytest.raises(InvalidVectorsError, match=r"a weight is 1.0, more than the ceiling 0.5"):
            write_vectors(tmp_path / name, None, [ONE], words=WORDS, ceiling=0.5)
    assert not list(tmp_path.iterdir())


def test_a_failing_source_leaves_the_old_file(tmp_path: Path) -> None:
    def failing() -> Iterator[Batch]:
        yield ONE
        raise RuntimeError("the encoder stopped")

    for name in ("v.jsonl", "v.jsonl.gz", "v.jsonl.zst", "v.ciff", "v.npz", "v.bin"):
        folder = tmp_path / name
        folder.mkdir()
        write_vectors(folder / name, None, [ONE], words=WORDS)
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        with pytest.raises(RuntimeError, match="the encoder stopped"):
            write_vectors(folder / name, None, failing(), words=WORDS, overwrite=True)
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
        two = (["b"], SparseVectors.from_dicts([{1: 2.0}], 2))
        write_vectors(folder / name, None, [two], words=WORDS, overwrite=True)
        assert as_rows(read_vectors(folder / name, words=WORDS), WORDS) == {"b": {"y": 2.0}}


def test_equal_vectors_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("v.jsonl.gz", "v.jsonl.zst", "v.ciff.gz", "v.npz", "v.bin"):
        (tmp_path / name).mkdir()
        (tmp_path / f"{name}2").mkdir()
        write_vectors(tmp_path / name / name, None, [ONE], words=WORDS)
        write_vectors(tmp_path / f"{name}2" / name, None, [ONE], words=WORDS)
        assert (tmp_path / name / name).read_bytes() == (tmp_path / f"{name}2" / name).read_bytes()


def test_the_formats_are_listed() -> None:
    names = [name for name, _ in list_formats()]
    assert names == ["anserini", "anserini-tsv", "ciff", "scipy", "seismic", "seismic-raw"]


def test_gzip_of_several_members(tmp_path: Path) -> None:
    lines = [f'{{"id": {n}, "vector": {{"x": 1}}}}\n'.encode() for n in range(3)]
    (tmp_path / "v.jsonl.gz").write_bytes(b"".join(gzip.compress(line) for line in lines))
    assert [ids for ids, _ in read_vectors(tmp_path / "v.jsonl.gz")] == [["0", "1", "2"]]


def test_a_crash_while_replacing_never_pairs_old_rows_with_new_ids(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "v.bin"
    write_vectors(path, None, [ONE])
    replace = os.replace

    def crash(source: Path, target: Path) -> None:
        if target == path:
            raise RuntimeError("the power went")
        replace(source, target)

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(RuntimeError, match="the power went"):
        write_vectors(path, None, [(["b"], SparseVectors.from_dicts([{1: 2.0}], 2))], overwrite=True)
    assert [file.name for file in tmp_path.iterdir()] == ["v.bin.ids.txt"]
