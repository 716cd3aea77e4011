"""Other people's readers and writers agree with ours: protobuf's own, SciPy's; and published examples by hand."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from interchange_help import PLAIN, as_rows, batches, some_rows

from lsr.interchange import read_vectors, write_vectors
from lsr.vectors import SparseVectors


@pytest.fixture(scope="module")
def messages() -> dict[str, Any]:
    """CIFF's messages as protobuf's own library makes them from their description."""
    descriptor = pytest.importorskip("google.protobuf.descriptor_pb2")
    descriptor_pool = pytest.importorskip("google.protobuf.descriptor_pool")
    message_factory = pytest.importorskip("google.protobuf.message_factory")
    int32, int64, double, string, message = 5, 3, 1, 9, 11
    layout: dict[str, list[tuple[str, int]]] = {
        "Header": [
            ("version", int32),
            ("num_postings_lists", int32),
            ("num_docs", int32),
            ("total_postings_lists", int32),
            ("total_docs", int32),
            ("total_terms_in_collection", int64),
            ("average_doclength", double),
            ("description", string),
        ],
        "Posting": [("docid", int32), ("tf", int32)],
        "PostingsList": [("term", string), ("df", int64), ("cf", int64), ("postings", message)],
        "DocRecord": [("docid", int32), ("collection_docid", string), ("doclength", int32)],
    }
    file = descriptor.FileDescriptorProto(name="ciff_test.proto", package="ciff_test", syntax="proto3")
    for name, layout_fields in layout.items():
        kind = file.message_type.add(name=name)
        for number, (field, type_number) in enumerate(layout_fields, 1):
            repeated = type_number == message
            entry = kind.field.add(name=field, number=number, type=type_number, label=3 if repeated else 1)
            if repeated:
                entry.type_name = ".ciff_test.Posting"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"ciff_test.{name}")) for name in layout}


def delimited(message: Any) -> bytes:
    data: bytes = message.SerializeToString()
    length, prefix = len(data), b""
    while length >= 128:
        prefix += bytes([length & 127 | 128])
        length >>= 7
    return prefix + bytes([length]) + data


def test_protobuf_reads_our_ciff(tmp_path: Path, messages: dict[str, Any]) -> None:
    rows = some_rows(7, 200, PLAIN, 8)
    write_vectors(tmp_path / "v.ciff", None, batches(rows, PLAIN), words=PLAIN)
    data = (tmp_path / "v.ciff").read_bytes()
    place = 0

    def following(kind: str) -> Any:
        nonlocal place
        length = shift = 0
        while True:
            byte = data[place]
            place += 1
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        place += length
        return messages[kind].FromString(data[place - length : place])

    header = following("Header")
    assert (header.version, header.num_docs, header.total_docs) == (1, 200, 200)
    found: dict[int, dict[str, float]] = {number: {} for number in range(200)}
    order = []
    for _ in range(header.num_postings_lists):
        postings = following("PostingsList")
        assert postings.df == len(postings.postings)
        assert postings.cf == sum(posting.tf for posting in postings.postings)
        order.append(postings.term.encode())
        document = 0
        for posting in postings.postings:
            document += posting.docid
            found[document][postings.term] = posting.tf
    assert order == sorted(order)
    lengths = 0
    for number, (name, row) in enumerate(rows.items()):
        record = following("DocRecord")
        assert (record.docid, record.collection_docid, record.doclength) == (number, name, sum(row.values()))
        assert found[number] == row
        lengths += record.doclength
    assert place == len(data)
    assert header.total_terms_in_collection == lengths
    assert header.average_doclength == lengths / 200


def test_we_read_protobufs_ciff(tmp_path: Path, messages: dict[str, Any]) -> None:
    rng = np.random.default_rng(11)
    rows: dict[str, dict[str, float]] = {f"doc-{number}": {} for number in range(3000)}
    data = b""
    for word in PLAIN:
        documents = np.sort(rng.choice(3000, int(rng.integers(1, 3000)), replace=False))
        postings = messages["PostingsList"](term=word, df=len(documents), cf=1)
        last = 0
        for document in documents.tolist():
            weight = int(rng.integers(1, 100_000))
            postings.postings.add(docid=document - last, tf=weight)
            rows[f"doc-{document}"][word] = float(weight)
            last = document
        data += delimited(postings)
    for number in rng.permutation(3000).tolist():
        data += delimited(messages["DocRecord"](docid=number, collection_docid=f"doc-{number}", doclength=1))
    header = messages["Header"](version=1, num_postings_lists=len(PLAIN), num_docs=3000, description="by protobuf")
    (tmp_path / "v.ciff").write_bytes(delimited(header) + data)
    source = read_vectors(tmp_path / "v.ciff")
    assert source.vocabulary is not None
    assert as_rows(source, source.vocabulary) == rows


def test_ciff_by_hand(tmp_path: Path) -> None:
    """Fields in any order, unknown fields, gaps with and without an explicit 0, numbers longer than they need be."""
    header = bytes([8, 1, 16, 1, 24, 2])
    postings = bytes([34, 4, 8, 0, 16, 3, 34, 5, 8, 0x85, 0, 16, 2, 16, 2, 10, 1, 97, 0x98, 6, 1])
    records = [bytes([18, 1, 120]), bytes([24, 9, 18, 1, 121, 8, 5])]
    (tmp_path / "v.ciff").write_bytes(b"".join(bytes([len(part)]) + part for part in (header, postings, *records)))
    source = read_vectors(tmp_path / "v.ciff")
    assert source.vocabulary is not None
    assert as_rows(source, source.vocabulary) == {"x": {"a": 3.0}, "y": {"a": 2.0}}


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("kind", ["csr_array", "csr_matrix"])
def test_scipy_both_ways(tmp_path: Path, kind: str, compressed: bool) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    rng = np.random.default_rng(2)
    dense = (rng.random((37, 50)) * (rng.random((37, 50)) < 0.2)).astype(np.float32)
    sparse.save_npz(tmp_path / "theirs.npz", getattr(sparse, kind)(dense), compressed=compressed)
    (tmp_path / "theirs.npz.ids.txt").write_text("".join(f"q{row}\n" for row in range(37)))
    read = list(read_vectors(tmp_path / "theirs.npz", batch=10))
    assert [name for ids, _ in read for name in ids] == [f"q{row}" for row in range(37)]
    joined = SparseVectors.concat([vectors for _, vectors in read])
    np.testing.assert_array_equal(joined.to_dense(), dense)
    write_vectors(tmp_path / "ours.npz", None, read)
    ours = sparse.load_npz(tmp_path / "ours.npz")
    assert ours.shape == (37, 50)
    assert ours.dtype == np.float32
    np.testing.assert_array_equal(ours.toarray(), dense)


@pytest.mark.parametrize("dtype", ["int64", "uint8", "float16", "float64", "bool", ">i4"])
def test_scipy_matrices_of_any_real_dtype_and_order(tmp_path: Path, dtype: str) -> None:
    path = tmp_path / "v.npz"
    np.savez(
        path,
        indices=np.array([2, 0, 1], np.int32),
        indptr=np.array([0, 2, 3], np.int32),
        format=np.array("csr"),
        shape=np.array([2, 3]),
        data=np.array([1, 1, 0], dtype),
    )
    ((ids, vectors),) = read_vectors(path, number_rows=True)
    assert ids == ["0", "1"]
    assert vectors == SparseVectors.from_dicts([{0: 1.0, 2: 1.0}, {}], 3)


def test_anserini_by_hand(tmp_path: Path) -> None:
    folder = tmp_path / "collection"
    (folder / "deeper").mkdir(parents=True)
    (folder / "docs00.jsonl").write_text('{"id": 7, "contents": "x", "vector": {"b": 2, "a": 1.5, "z": 0}}\n\n')
    (folder / "deeper" / "docs01.json").write_text('\ufeff{"vector": {}, "id": "x"}')
    (folder / "README.md").write_text("not vectors")
    (folder / ".hidden.jsonl").write_text("{")
    source = read_vectors(folder)
    assert source.format == "anserini"
    assert source.vocabulary is not None
    assert as_rows(source, source.vocabulary) == {"x": {}, "7": {"b": 2.0, "a": 1.5}}


def test_what_anserini_gets(tmp_path: Path) -> None:
    vectors = SparseVectors.from_dicts([{0: 3.0, 2: 1.0}, {1: 2.0}], 3)
    write_vectors(tmp_path / "v.jsonl", "anserini", [(["a", "b"], vectors)], words=["x", "é", "z"])
    lines = (tmp_path / "v.jsonl").read_text().splitlines()
    assert lines == ['{"id":"a","contents":"","vector":{"x":3,"z":1}}', '{"id":"b","contents":"","vector":{"é":2}}']
    write_vectors(tmp_path / "q.tsv", None, [(["a", "b"], vectors)], words=["x", "é", "z"])
    assert (tmp_path / "q.tsv").read_text() == "a\tx x x z\nb\té é\n"
    (tmp_path / "mixed.tsv").write_text('1\tx  x z\r\n\n2\t{"é": 1.5}\n3\t{ { }\n4\t{}\n5\t\n')
    source = read_vectors(tmp_path / "mixed.tsv")
    assert source.vocabulary is not None
    expected = {"1": {"x": 2.0, "z": 1.0}, "2": {"é": 1.5}, "3": {"{": 2.0, "}": 1.0}, "4": {}, "5": {}}
    assert as_rows(source, source.vocabulary) == expected


def test_what_seismic_gets(tmp_path: Path) -> None:
    vectors = SparseVectors.from_dicts([{0: 3.5, 70_000: 1.0}, {}], 70_001)
    write_vectors(tmp_path / "v.bin", None, [(["a", "b"], vectors)])
    expected = struct.pack("<IIIIffI", 2, 2, 0, 70_000, 3.5, 1.0, 0)
    assert (tmp_path / "v.bin").read_bytes() == expected
    assert (tmp_path / "v.bin.ids.txt").read_text() == "a\nb\n"
    write_vectors(tmp_path / "v.jsonl", "seismic", [(["a"], vectors[:1])], words=[str(n) for n in range(70_001)])
    assert json.loads((tmp_path / "v.jsonl").read_text()) == {"id": "a", "vector": {"0": 3.5, "70000": 1.0}}
