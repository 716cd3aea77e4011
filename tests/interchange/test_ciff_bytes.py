"""CIFF, byte by byte: the fast decoder against the slow one, each flaw by name, and bytes that nobody wrote."""

from __future__ import annotations

import tempfile
import tracemalloc
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from interchange_help import PLAIN, batches, some_rows

from lsr.errors import LsrError, SourceError
from lsr.interchange import read_vectors, write_vectors
from lsr.interchange.ids import UniqueIds
from lsr.interchange.postings import decode_posting, decode_run, encode_posting, encode_run, encoded_length
from lsr.interchange.spool import Spool
from lsr.interchange.wire import (
    WireError,
    bytes_field,
    decode_field,
    decode_varint,
    encode_varint,
    varint_field,
)

numbers = st.integers(0, 34).flatmap(lambda bits: st.integers(1, 2**31 - 1).map(lambda value: max(1, value >> bits)))


@given(st.lists(st.tuples(numbers, numbers)))
def test_postings_fast_and_slow_agree(postings: list[tuple[int, int]]) -> None:
    gaps = np.array([gap for gap, _ in postings], np.uint32)
    weights = np.array([weight for _, weight in postings], np.uint32)
    data = encode_run(gaps, weights)
    assert data == b"".join(encode_posting(gap, weight) for gap, weight in postings)
    assert encoded_length(gaps, weights) == len(data)
    found_gaps, found_weights, end = decode_run(data, 0)
    assert end == len(data)
    assert list(zip(found_gaps.tolist(), found_weights.tolist(), strict=True)) == postings


@given(st.binary(max_size=80), st.lists(st.tuples(numbers, numbers), max_size=4), st.integers(0, 3))
def test_a_fast_run_is_what_the_slow_decoder_says(tail: bytes, postings: list[tuple[int, int]], cut: int) -> None:
    data = b"".join(encode_posting(*posting) for posting in postings) + tail
    data = data[: len(data) - cut]
    gaps, weights, end = decode_run(data, 0)
    place = 0
    for gap, weight in zip(gaps.tolist(), weights.tolist(), strict=True):
        number, _, message, place = decode_field(data, place)
        assert number == 4
        assert isinstance(message, bytes)
        assert decode_posting(message) == (gap, weight)
    assert place == end
    assert len(gaps) >= len(postings) or cut


@given(st.integers(0, 2**64 - 1))
def test_varints(value: int) -> None:
    data = encode_varint(value)
    assert decode_varint(b"x" + data + b"y", 1) == (value, 1 + len(data))


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"", "cut short"), (b"\x80", "cut short"), (b"\xff" * 11, "10 bytes"), (b"\xff" * 9 + b"\x7f", "64 bits")],
)
def test_bad_varints(data: bytes, message: str) -> None:
    with pytest.raises(WireError, match=message):
        decode_varint(data, 0)


def ciff(*messages: bytes, lists: int = 1, documents: int = 1, version: int = 1) -> bytes:
    header = varint_field(1, version) + varint_field(2, lists) + varint_field(3, documents)
    return b"".join(encode_varint(len(message)) + message for message in (header, *messages))


def listed(word: bytes, *postings: tuple[int, int], df: int | None = None) -> bytes:
    head = bytes_field(1, word) + varint_field(2, len(postings) if df is None else df)
    return head + b"".join(encode_posting(*posting) for posting in postings)


RECORD = bytes_field(2, b"x")
SECOND = varint_field(1, 1) + bytes_field(2, b"y")
NEGATIVE = 2**64 - 3


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "before byte 0: the file ends where a message must be"),
        (b"\x80", "the length of a message is cut short"),
        (b"\xff" * 12, "longer than 10 bytes"),
        (b"\xff\xff\xff\xff\x0f", "the length of a message is 4294967295, it must be within"),
        (b"\xff\xff\xff\xff\x07", "a message says that it has 2147483647 bytes, more than"),
        (b"\x05abc", "ends 2 bytes before a message does"),
        (ciff(version=2), "version 2, known is 1"),
        (ciff(lists=NEGATIVE), "the number of postings lists is -3"),
        (ciff(documents=2**31), "the number of document records is 2147483648"),
        (ciff(), "the file ends where postings list 0 must be"),
        (ciff(lists=2**31 - 1), "the file ends where postings list 0"),
        (ciff(lists=0, documents=2**31 - 1), "the file ends where a message must be"),
        (ciff(listed(b"a", (0, 1))), "the file ends where a message must be"),
        (ciff(listed(b"a", (0, 1)), RECORD, b"more"), "bytes follow after the last document record"),
        (ciff(listed(b"", (0, 1)), RECORD), "the word of postings list 0 is empty"),
        (ciff(listed(b"\xff", (0, 1)), RECORD), "the word of postings list 0 is not UTF-8"),
        (ciff(b"", RECORD), "the word of postings list 0 is empty"),
        (ciff(listed(b"a", (0, 1), df=2), RECORD), "says that it has 2 postings, it has 1"),
        (ciff(listed(b"a", (0, 1)), listed(b"a", (0, 1)), RECORD, lists=2), "'a' has two postings lists, number 0 and"),
        (ciff(listed(b"a", (0, 1), (0, 1)), RECORD), "document 0 comes twice in a postings list"),
        (ciff(listed(b"a", (1, 1), (NEGATIVE, 1)), RECORD), r"document \(postings must be sorted\) is -3"),
        (ciff(listed(b"a", (0, NEGATIVE)), RECORD), r"the weight \(tf\) of a posting is -3"),
        (ciff(listed(b"a", (0, 1), (1, NEGATIVE)), RECORD), r"the weight \(tf\) of a posting is -3"),
        (ciff(listed(b"a", (2**31 - 1, 1), (1, 1)), RECORD), "a posting's document is 2147483648"),
        (ciff(listed(b"a", (2**31 - 1, 1), (9, 0)), RECORD), "a posting's document is 2147483656"),
        (ciff(listed(b"a", (0, 1)) + b"\x22\x7f", RECORD), "field 4 says that it has 127 bytes, there are 0"),
        (ciff(listed(b"a", (0, 1)) + b"\x22\x80", RECORD), "a number is cut short"),
        (ciff(listed(b"a", (0, 1)) + b"\x20\x01", RECORD), "a posting of 'a' is no message"),
        (ciff(listed(b"a", (0, 1)) + b"\x0b", RECORD), "wire type 3"),
        (ciff(listed(b"a", (0, 1)) + b"\x00\x00", RECORD), "a field has the number 0"),
        (ciff(listed(b"a", (0, 1)), b""), "the id of document 0 is empty"),
        (ciff(listed(b"a", (0, 1)), RECORD, RECORD, documents=2), "document 0 has two records"),
        (
            ciff(listed(b"a", (0, 1)), RECORD, varint_field(1, 1) + RECORD, documents=2),
            "document 1: its id 'x' was given to an earlier document",
        ),
        (ciff(listed(b"a", (1, 1)), RECORD), "document 1 has postings, but no record"),
        (ciff(listed(b"a", (2**31 - 1, 1)), RECORD), "document 2147483647 has postings, but no record"),
        (ciff(listed(b"a", (0, 1)), SECOND), "document 0 has postings, but no record"),
    ],
)
def test_each_flaw_has_its_message(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "v.ciff"
    path.write_bytes(data)
    with pytest.raises(SourceError, match=message) as caught:
        list(read_vectors(path))
    assert str(path) in str(caught.value)


def test_zero_weights_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "v.ciff").write_bytes(ciff(listed(b"a", (0, 0), (1, 4)), RECORD, SECOND, documents=2))
    ((ids, vectors),) = read_vectors(tmp_path / "v.ciff")
    assert ids == ["x", "y"]
    assert vectors.to_dicts() == [{}, {0: 4.0}]


def attempt(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "v.ciff"
        path.write_bytes(data)
        with suppress(LsrError):
            for ids, vectors in read_vectors(path, batch=2):
                assert len(ids) == len(vectors)


@given(st.binary(max_size=200))
@example(b"\x1f\x8b")
@example(b"\x28\xb5\x2f\xfd")
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    attempt(data)


@given(st.lists(st.binary(max_size=30), max_size=6), st.integers(0, 4), st.integers(0, 4))
def test_any_messages_are_read_or_refused(messages: list[bytes], lists: int, documents: int) -> None:
    attempt(ciff(*messages, lists=lists, documents=documents))


def test_flipped_and_cut_files_are_read_or_refused(tmp_path: Path) -> None:
    write_vectors(tmp_path / "v.ciff", None, batches(some_rows(4, 20, PLAIN, 6), PLAIN), words=PLAIN)
    good = (tmp_path / "v.ciff").read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(500):
        bad = bytearray(good)
        for place in rng.integers(0, len(bad), int(rng.integers(1, 4))):
            bad[place] = int(rng.integers(256))
        attempt(bytes(bad))
    for end in range(len(good)):
        (tmp_path / "v.ciff").write_bytes(good[:end])
        with pytest.raises(SourceError):
            list(read_vectors(tmp_path / "v.ciff"))


def test_lengths_are_not_believed(tmp_path: Path) -> None:
    """A file of some bytes that promises gigabytes costs no memory."""
    path = tmp_path / "v.ciff"
    promises = [
        b"\xff\xff\xff\x07",
        ciff(lists=2**31 - 1, documents=2**31 - 1),
        ciff() + b"\xff\xff\xff\xff\x07" + listed(b"a", (0, 1)),
        ciff(listed(b"a", (2**31 - 1, 1)), RECORD),
        ciff(listed(b"a", (0, 1)) + b"\x22\xff\xff\xff\xff\x07", RECORD),
    ]
    for data in promises:
        path.write_bytes(data)
        tracemalloc.start()
        try:
            with pytest.raises(SourceError):
                list(read_vectors(path))
            assert tracemalloc.get_traced_memory()[1] < 8 << 20
        finally:
            tracemalloc.stop()


records = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 2**32 - 1)), max_size=12)


@given(st.lists(records, max_size=12), st.integers(1, 6000), st.integers(0, 21), st.integers(0, 21))
def test_a_spool_sorts_by_key_and_keeps_order(
    parts: list[list[tuple[int, int]]], memory: int, low: int, high: int
) -> None:
    everything = [record for part in parts for record in part]
    with Spool(np.float32, None, memory) as spool:
        for part in parts:
            keys = np.array([key for key, _ in part], np.uint32)
            seconds = np.array([second for _, second in part], np.uint32)
            spool.add(keys, seconds, keys.astype(np.float32) / 2)
        spool.finish()
        keys, seconds, values = spool.between(low, high)
        found = list(zip(keys.tolist(), seconds.tolist(), strict=True))
        assert values.tolist() == (keys / 2).tolist()
        assert sum(len(run[0]) for run in spool.runs()) == len(everything)
        del keys, seconds, values
    assert found == sorted((record for record in everything if low <= record[0] <= high), key=lambda record: record[0])


@given(st.lists(st.lists(st.text(max_size=2, alphabet="abé"), max_size=8), max_size=20))
def test_the_first_repeated_id_is_found(parts: list[list[str]]) -> None:
    unique = UniqueIds()
    seen: set[str] = set()
    for part in parts:
        expected = next((n for n, name in enumerate(part) if name in seen or name in part[:n]), None)
        assert unique.add(part) == expected
        if expected is not None:
            break
        seen.update(part)


def test_a_posting_is_as_long_as_it_says() -> None:
    """Six varints in the pattern, but the length says that the sixth is not all of it, or not part of it."""
    for length in (3, 5, 6):
        data = bytes([0x22, length, 8, 1, 16, 1, 0, 0])
        assert len(decode_run(data, 0)[0]) == 0
    assert len(decode_run(bytes([0x22, 4, 8, 1, 16, 1, 0, 0]), 0)[0]) == 1


def test_regular_lists_are_decoded_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = []

    def counted(message: bytes) -> tuple[int, int]:
        slow.append(message)
        return decode_posting(message)

    monkeypatch.setattr("lsr.interchange.ciff_read.decode_posting", counted)
    rows = some_rows(6, 2000, PLAIN, 10)
    write_vectors(tmp_path / "v.ciff", None, batches(rows, PLAIN), words=PLAIN)
    assert sum(vectors.nnz for _, vectors in read_vectors(tmp_path / "v.ciff")) == sum(map(len, rows.values()))
    assert len(slow) <= len(PLAIN)


def test_irregular_postings_after_regular_ones(tmp_path: Path) -> None:
    """The slow decoder takes over where the fast one stops, and a later piece of the list is fast again."""
    gaps = [0, *[1] * 200_000]
    weights = [1 + place % 100 if place % 50_000 else 0 for place in range(len(gaps))]
    records = [varint_field(1, place) + bytes_field(2, b"%d" % place) for place in range(len(gaps))]
    data = ciff(listed(b"a", *zip(gaps, weights, strict=True)), *records, documents=len(gaps))
    (tmp_path / "v.ciff").write_bytes(data)
    source = read_vectors(tmp_path / "v.ciff", batch=10_000)
    found = [weight for _, vectors in source for weight in vectors.to_dense()[:, 0].tolist()]
    assert found == weights
