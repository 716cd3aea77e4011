"""Rows in, rows out: each checked, all or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from index_oracle import random_vectors

from lsr.documents import Document
from lsr.errors import CorruptionError, WriterLockedError
from lsr.index.files import FileSummary
from lsr.store.codec import checksum, decode_vectors, encode_vectors, matches, text_checksum
from lsr.store.lock import WriterLock
from lsr.store.records import SegmentRow, State
from lsr.store.schema import create
from lsr.store.store import Store
from lsr.store.terms import StoredTerms
from lsr.vectors import SparseVectors


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    create(tmp_path, {"encoder": "none"}, State())
    opened = Store(tmp_path, write=True)
    yield opened
    opened.close()


def some(count: int) -> tuple[list[Document], SparseVectors]:
    documents = [Document(f"d{n}", f"text {n}", title="ü" * (n % 3), metadata={"n": n}) for n in range(count)]
    return documents, random_vectors(np.random.default_rng(count), count, 500, 20)


def bodies(documents: list[Document]) -> dict[str, bytes]:
    return {document.id: document.to_json().encode() for document in documents}


def test_a_new_store_holds_its_settings_and_nothing_else(store: Store) -> None:
    assert store.settings() == {"encoder": "none"}
    assert store.state() == State()
    assert store.segments() == []
    assert store.count_documents() == (0, 0)
    assert store.integrity() == []


def test_documents_and_vectors_come_back_as_they_went(store: Store) -> None:
    documents, vectors = some(5000)
    with store.transaction():
        ordinals = store.insert(bodies(documents), vectors)
    assert ordinals.tolist() == list(range(5000))
    assert list(store.all_documents()) == documents
    assert store.documents([7, 4999, 3]) == [documents[7], documents[4999], documents[3]]
    assert store.ids([2, 1]) == ["d2", "d1"]
    batches = list(store.vectors(500))
    assert len(batches) > 1
    assert SparseVectors.concat([batch for _, batch in batches]) == vectors
    assert np.concatenate([numbers for numbers, _ in batches]).tolist() == ordinals.tolist()
    assert store.vectors_at([9, 4], 500) == vectors[[9, 4]]
    assert store.damaged_rows() == []


def test_ordinals_are_never_used_again(store: Store) -> None:
    documents, vectors = some(3)
    with store.transaction():
        store.insert(bodies(documents), vectors)
        store.remove([0, 1, 2])
        assert store.insert(bodies(documents), vectors).tolist() == [3, 4, 5]
    assert {id: ordinal for id, (ordinal, _) in store.find(["d1", "nobody", "d2"]).items()} == {"d1": 4, "d2": 5}


def test_a_transaction_is_all_or_nothing(store: Store) -> None:
    documents, vectors = some(3)
    with pytest.raises(RuntimeError, match="half way"), store.transaction():
        store.insert(bodies(documents), vectors)
        store.put_state(State(generation=1, documents=3))
        raise RuntimeError("half way")
    assert store.count_documents() == (0, 0)
    assert store.state() == State()


def test_a_snapshot_does_not_move(store: Store, tmp_path: Path) -> None:
    reader = Store(tmp_path, write=False)
    reader.begin_snapshot()
    with store.transaction():
        store.put_state(State(generation=5))
    assert reader.state().generation == 0
    reader.end_snapshot()
    assert reader.state().generation == 5
    reader.close()


def test_missing_rows_are_damage(store: Store) -> None:
    with pytest.raises(CorruptionError, match="document row 3 is missing"):
        store.documents([3])
    with pytest.raises(CorruptionError, match="document row 3 is missing"):
        store.ids([3])
    with pytest.raises(CorruptionError, match="vector row 3 is missing"):
        store.vectors_at([3], 10)


@pytest.mark.parametrize("dead", [None, b"\x80"])
def test_segment_rows_come_back_and_are_checked(store: Store, dead: bytes | None) -> None:
    row = SegmentRow("a.seg", 3, 9, 7, 40, FileSummary(1234, 2**64 - 5), dead, None if dead is None else b"\0" * 8)
    with store.transaction():
        store.put_segments([row])
    assert store.segments() == [row]
    store._db.execute("UPDATE segments SET postings = 41")
    with pytest.raises(CorruptionError, match=r"segment a\.seg's row"):
        store.segments()


def test_text_frequencies_are_checked(store: Store) -> None:
    assert store.frequencies(4).tolist() == [0, 0, 0, 0]
    with store.transaction():
        store.put_frequencies(np.array([1, 0, 2**32 - 1, 7]))
    assert store.frequencies(4).tolist() == [1, 0, 2**32 - 1, 7]
    store._db.execute("UPDATE frequencies SET counts = zeroblob(16)")
    with pytest.raises(CorruptionError, match="document frequencies"):
        store.frequencies(4)


@given(
    burials=st.lists(st.lists(st.integers(0, 29), unique=True, max_size=8), max_size=5),
    terms=st.lists(st.integers(0, 2**32 - 1), max_size=20),
)
def test_the_dead_are_counted_once_and_their_terms_add_up(burials: list[list[int]], terms: list[int]) -> None:
    row = SegmentRow("a.seg", 0, 29, 30, 100, FileSummary(1, 1))
    assert row.alive() is None
    dead: set[int] = set()
    for places in burials:
        row = row.bury(np.array(places, np.int64), np.array(terms, np.uint32))
        dead |= set(places)
        alive = row.alive()
        assert alive is not None
        assert set(np.flatnonzero(alive == 0).tolist()) == dead
    assert row.deleted == len(dead)
    assert row.living == 30 - len(dead)
    found, counts = row.dead_counts()
    expected = {term: terms.count(term) * len(burials) for term in set(terms)} if burials else {}
    assert dict(zip(found.tolist(), counts.tolist(), strict=True)) == expected


def test_terms_are_given_ids_in_order_and_never_forgotten(store: Store, tmp_path: Path) -> None:
    terms = StoredTerms(store)
    assert terms.lookup(["a"]) == [None]
    with store.transaction():
        assert terms.intern(["b", "a", "b", "ß"]) == [0, 1, 0, 2]
    assert terms.lookup(["ß", "zz", "b"]) == [2, None, 0]
    assert terms.words([2, 0]) == ["ß", "b"]
    assert len(terms) == 3
    assert StoredTerms(Store(tmp_path, write=False)).lookup(["a"]) == [1]


def test_terms_of_an_undone_transaction_are_forgotten(store: Store) -> None:
    terms = StoredTerms(store)
    with pytest.raises(RuntimeError, match="undone"), store.transaction():
        terms.intern(["lost"])
        raise RuntimeError("undone")
    terms.forget()
    assert terms.lookup(["lost"]) == [None]
    with store.transaction():
        assert terms.intern(["kept"]) == [0]


@given(st.integers(0, 60), st.integers(0, 2**32 - 1))
def test_vectors_survive_the_codec(rows: int, seed: int) -> None:
    vectors = random_vectors(np.random.default_rng(seed), rows, 70000, 30)
    assert decode_vectors(encode_vectors(vectors), 70000) == vectors


@given(st.binary(max_size=200), st.integers(0, 2**40))
def test_checksums_fit_sqlite_and_see_every_bit(data: bytes, salt: int) -> None:
    stored = checksum(data, salt)
    assert -(2**63) <= stored < 2**63
    assert matches(data, stored, salt)
    assert not matches(data, stored, salt + 1)
    assert not matches(data + b"x", stored, salt)
    assert not matches("text", stored, salt)
    assert not matches(None, stored, salt)


def test_fields_do_not_run_into_each_other() -> None:
    assert text_checksum("ab", "c") != text_checksum("a", "bc")


def test_the_lock_names_its_holder_and_is_free_after_release(tmp_path: Path) -> None:
    lock = WriterLock(tmp_path / "lock")
    with pytest.raises(WriterLockedError, match="being written by process"):
        WriterLock(tmp_path / "lock")
    lock.release()
    lock.release()
    WriterLock(tmp_path / "lock").release()
