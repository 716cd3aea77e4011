"""The store of one index directory: rows in, rows out, each checked, in one transaction at a time."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lsr.documents import Document
from lsr.errors import CorruptionError, DeviceFailedError, InvalidSettingError, LsrError
from lsr.index.files import FileSummary
from lsr.index.layout import MAX_ORDINAL
from lsr.store.codec import checksum, decode_vectors, encode_vectors, matches, text_checksum
from lsr.store.records import SegmentRow, State
from lsr.store.schema import FILE_NAME, SEAL, connect, explain, settings_seal
from lsr.store.witness import Witness
from lsr.vectors import SparseVectors

#: Rows that are read at a time where all are.
_BATCH = 4096


class Store:
    """A connection to the store; one thread at a time.

    Parameters
    ----------
    folder : Path
        The index directory.
    write : bool
        Whether transactions may write.
    """

    def __init__(self, folder: Path, *, write: bool) -> None:
        self.path = folder / FILE_NAME
        #: True once a commit has failed in a way that leaves open whether it is on the device.
        self.uncertain = False
        self._db = connect(folder, write=write)

    def close(self) -> None:
        self._db.close()

    # -- transactions ---------------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing: durable when the block ends well, undone when it raises.

        One exception: where the device fails while it commits, the transaction may come back after reopening, since
        its last record may have been written though not flushed. `uncertain` is true from then on.
        """
        with self._explained():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                try:
                    self._db.execute("COMMIT")
                except sqlite3.Error as error:
                    # A full disk stops before the last record; anything else may stop after it.
                    self.uncertain |= getattr(error, "sqlite_errorname", "") not in ("SQLITE_FULL", "SQLITE_BUSY")
                    raise
            except BaseException:
                if self._db.in_transaction:
                    with suppress(sqlite3.Error):  # a device that fails may fail at this too: nothing is committed
                        self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Within a transaction: the block's changes are undone where it raises, those before it stay."""
        with self._explained():
            self._db.execute("SAVEPOINT part")
            try:
                yield
            except BaseException:
                if self._db.in_transaction:  # some failures of SQLite end the whole transaction
                    self._db.execute("ROLLBACK TO part")
                    self._db.execute("RELEASE part")
                raise
            self._db.execute("RELEASE part")

    @property
    def in_transaction(self) -> bool:
        return self._db.in_transaction

    def begin_snapshot(self) -> None:
        """From here on this connection sees the newest commit and no later one, until `end_snapshot`."""
        with self._explained():
            self._db.execute("BEGIN")
            self._db.execute("SELECT 1 FROM state").fetchone()

    def end_snapshot(self) -> None:
        """See newer commits again."""
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise explain(error, self.path) from error

    # -- settings and state ---------------------------------------------------------------------------------------

    def settings(self) -> dict[str, str]:
        """What was fixed when the index was made."""
        with self._explained():
            settings: dict[str, str] = dict(self._db.execute("SELECT name, value FROM settings"))
        if SEAL in settings and settings.pop(SEAL) != settings_seal(settings):
            raise self._damaged("the checksum of its settings does not match")
        return settings

    def witness(self) -> Witness:
        """The generation that this connection sees, and the id of the index."""
        return Witness(self.state().generation, self.settings().get("index_id", ""))

    def state(self) -> State:
        """The generation that this connection sees."""
        with self._explained():
            row = self._db.execute("SELECT value, checksum FROM state").fetchone()
        if row is None or text_checksum(row[0]) != row[1]:
            raise self._damaged("the checksum of its state does not match" if row else "it has no state")
        return State(**json.loads(row[0]))

    def put_state(self, state: State) -> None:
        value = state.to_json()
        self._db.execute("INSERT OR REPLACE INTO state VALUES (1, ?, ?)", (value, text_checksum(value)))

    def frequencies(self, dim: int) -> NDArray[np.int64]:
        """int64 ndarray of shape (dim,): in how many live documents' texts each term stands."""
        with self._explained():
            row = self._db.execute("SELECT counts, checksum FROM frequencies").fetchone()
        if row is None:
            return np.zeros(dim, np.int64)
        if not matches(*row) or len(row[0]) != 4 * dim:
            raise self._damaged("the checksum of its document frequencies does not match")
        return np.frombuffer(row[0], "<u4").astype(np.int64)

    def put_frequencies(self, counts: NDArray[np.int64]) -> None:
        blob = counts.astype("<u4").tobytes()
        self._db.execute("INSERT OR REPLACE INTO frequencies VALUES (1, ?, ?)", (blob, checksum(blob)))

    def segments(self) -> list[SegmentRow]:
        """The live segments by ascending ordinals."""
        with self._explained():
            rows = self._db.execute("SELECT * FROM segments ORDER BY first").fetchall()
        result = []
        for *values, stored in rows:
            if _segment_checksum(values) != stored:
                raise self._damaged(f"the checksum of segment {values[0]}'s row does not match")
            name, first, last, documents, postings, size, file_checksum, dead, dead_terms = values
            file = FileSummary(size, file_checksum & 0xFFFFFFFFFFFFFFFF)
            result.append(SegmentRow(name, first, last, documents, postings, file, dead, dead_terms))
        return result

    def put_segments(self, segments: Iterable[SegmentRow]) -> None:
        """Make these the live segments."""
        self._db.execute("DELETE FROM segments")
        for row in segments:
            file_checksum = row.file.checksum - (1 << 64) if row.file.checksum >= 1 << 63 else row.file.checksum
            values = [row.name, row.first, row.last, row.documents, row.postings, row.file.bytes, file_checksum]
            values += [row.dead, row.dead_terms]
            self._db.execute(
                "INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*values, _segment_checksum(values))
            )

    # -- documents ------------------------------------------------------------------------------------------------

    def find(self, ids: Sequence[str]) -> dict[str, tuple[int, int]]:
        """Ordinal and content checksum of those ids that are there."""
        with self._explained():
            rows = self._db.execute(
                "SELECT id, ordinal, checksum FROM documents WHERE id IN (SELECT value FROM json_each(?))",
                (json.dumps(list(ids), ensure_ascii=False),),
            )
            return {id: (ordinal, stored) for id, ordinal, stored in rows}

    def insert(self, bodies: Mapping[str, bytes], vectors: SparseVectors) -> NDArray[np.int64]:
        """Add documents whose ids are not there: id to `Document.to_json` in UTF-8, and one encoded vector each.

        Returns their ordinals, int64.
        """
        (used,) = self._db.execute("SELECT coalesce(max(seq), -1) FROM sqlite_sequence").fetchone()
        ordinals = np.arange(used + 1, used + 1 + len(bodies), dtype=np.int64)
        if used + len(bodies) >= MAX_ORDINAL:
            raise InvalidSettingError(
                f"an index takes {MAX_ORDINAL} documents in its life, replaced ones counted",
                remedy="index the live documents anew into another folder",
            )
        numbers = ordinals.tolist()
        self._db.executemany(
            "INSERT INTO documents VALUES (?, ?, ?, ?)",
            ((ordinal, id, body, checksum(body)) for ordinal, (id, body) in zip(numbers, bodies.items(), strict=True)),
        )
        self._db.executemany(
            "INSERT INTO vectors VALUES (?, ?, ?)",
            ((o, blob, checksum(blob, o)) for o, blob in zip(numbers, encode_vectors(vectors), strict=True)),
        )
        return ordinals

    def put_bodies(self, bodies: Mapping[int, bytes]) -> None:
        """Other JSON for documents that are there, by ordinal; their ids and vectors stay."""
        self._db.executemany(
            "UPDATE documents SET body = ?, checksum = ? WHERE ordinal = ?",
            [(body, checksum(body), ordinal) for ordinal, body in bodies.items()],
        )

    def matching(self, wanted: Callable[[Document], bool]) -> NDArray[np.int64]:
        """int64 ndarray, ascending: ordinals of the documents for which `wanted` is true; every document is read."""
        return np.array([ordinal for ordinal, document in self.scan() if wanted(document)], np.int64)

    def remove(self, ordinals: Sequence[int]) -> None:
        """Take documents and their vectors out."""
        rows = [(ordinal,) for ordinal in ordinals]
        self._db.executemany("DELETE FROM documents WHERE ordinal = ?", rows)
        self._db.executemany("DELETE FROM vectors WHERE ordinal = ?", rows)

    def documents(self, ordinals: Sequence[int]) -> list[Document]:
        """The documents at these ordinals, in this order."""
        with self._explained():  # as JSON, since SQLite takes 32,766 values at most
            rows = self._db.execute(
                "SELECT ordinal, id, body, checksum FROM documents WHERE ordinal IN (SELECT value FROM json_each(?))",
                (json.dumps(list(ordinals)),),
            ).fetchall()
        found = {row[0]: self._document(*row) for row in rows}
        for ordinal in ordinals:
            if ordinal not in found:
                raise self._damaged(f"document row {ordinal} is missing")
        return [found[ordinal] for ordinal in ordinals]

    def scan(self) -> Iterator[tuple[int, Document]]:
        """Every live document with its ordinal, in the order of insertion."""
        with self._explained():
            for row in self._db.execute("SELECT ordinal, id, body, checksum FROM documents ORDER BY ordinal"):
                yield row[0], self._document(*row)

    def all_documents(self) -> Iterator[Document]:
        """Every live document in the order of insertion."""
        return (document for _, document in self.scan())

    def ids(self, ordinals: Sequence[int]) -> list[str]:
        """The ids at these ordinals, in this order; cheaper than the documents."""
        with self._explained():
            select = "SELECT id FROM documents WHERE ordinal = ?"
            rows = [self._db.execute(select, (ordinal,)).fetchone() for ordinal in ordinals]
        for ordinal, row in zip(ordinals, rows, strict=True):
            if row is None:
                raise self._damaged(f"document row {ordinal} is missing")
        return [row[0] for row in rows]

    def _document(self, ordinal: int, id: str, body: bytes, stored: int) -> Document:
        if not matches(body, stored):
            raise self._damaged(f"the checksum of document {id!r} (row {ordinal}) does not match")
        document = Document.from_json(body)
        if document.id != id:
            raise self._damaged(f"row {ordinal} is filed under {id!r} but holds {document.id!r}")
        return document

    # -- vectors --------------------------------------------------------------------------------------------------

    def vectors(
        self, dim: int, first: int = 0, last: int = MAX_ORDINAL
    ) -> Iterator[tuple[NDArray[np.int64], SparseVectors]]:
        """Encoded vectors of the live documents with ordinals from `first` to `last`, in batches, ascending."""
        with self._explained():
            cursor = self._db.execute(
                "SELECT ordinal, pairs, checksum FROM vectors WHERE ordinal BETWEEN ? AND ? ORDER BY ordinal",
                (first, last),
            )
            while rows := cursor.fetchmany(_BATCH):
                yield self._decoded(rows, dim)

    def vectors_at(self, ordinals: Sequence[int], dim: int) -> SparseVectors:
        """Encoded vectors at these ordinals, which must be there, in this order."""
        with self._explained():
            select = "SELECT ordinal, pairs, checksum FROM vectors WHERE ordinal IN (SELECT value FROM json_each(?))"
            found = {row[0]: row for row in self._db.execute(select, (json.dumps(list(ordinals)),))}
        for ordinal in ordinals:
            if ordinal not in found:
                raise self._damaged(f"vector row {ordinal} is missing")
        return self._decoded([found[ordinal] for ordinal in ordinals], dim)[1]

    def _decoded(self, rows: Sequence[tuple[int, bytes, int]], dim: int) -> tuple[NDArray[np.int64], SparseVectors]:
        for ordinal, blob, stored in rows:
            if not matches(blob, stored, ordinal):
                raise self._damaged(f"the checksum of vector row {ordinal} does not match")
        return np.array([row[0] for row in rows], np.int64), decode_vectors([row[1] for row in rows], dim)

    # -- looking after ----------------------------------------------------------------------------------------------

    def integrity(self) -> list[str]:
        """What SQLite's own check says, empty for a sound file."""
        with self._explained():
            rows = [row[0] for row in self._db.execute("PRAGMA integrity_check")]
        return [] if rows == ["ok"] else rows

    def require_integrity(self) -> None:
        """Raise `CorruptionError` where SQLite's own check finds something: pages, order, an index that has not all."""
        if lines := self.integrity():
            raise self._damaged(f"SQLite's check says: {lines[0]}" + (f" and {len(lines) - 1} more" * (len(lines) > 1)))

    def interrupt(self) -> None:
        """End what another thread does with this connection."""
        with suppress(sqlite3.ProgrammingError):  # it may have ended, and closed it, by itself
            self._db.interrupt()

    def damaged_rows(self) -> list[str]:
        """A sentence for each row of documents or vectors whose checksum does not match."""
        found = []
        with self._explained():
            for ordinal, id, body, stored in self._db.execute("SELECT ordinal, id, body, checksum FROM documents"):
                try:
                    self._document(ordinal, id, body, stored)
                except LsrError as error:
                    found.append(error.message)
            for ordinal, pairs, stored in self._db.execute("SELECT ordinal, pairs, checksum FROM vectors"):
                if not matches(pairs, stored, ordinal):
                    found.append(self._damaged(f"the checksum of vector row {ordinal} does not match").message)
        return found

    def ordinals(self, first: int = 0, last: int = MAX_ORDINAL) -> NDArray[np.int64]:
        """int64 ndarray: ordinals of the live documents from `first` to `last`, ascending."""
        select = "SELECT ordinal FROM vectors WHERE ordinal BETWEEN ? AND ? ORDER BY ordinal"
        with self._explained():
            return np.array([row[0] for row in self._db.execute(select, (first, last))], np.int64)

    def count_documents(self) -> tuple[int, int]:
        """Rows of documents and rows of vectors; a sound store has as many of both."""
        with self._explained():
            select = "SELECT (SELECT count(*) FROM documents), (SELECT count(*) FROM vectors)"
            documents, vectors = self._db.execute(select).fetchone()
        return documents, vectors

    def data_version(self) -> int:
        """Changes when another connection commits; costs microseconds."""
        (version,) = self._db.execute("PRAGMA data_version").fetchone()
        return int(version)

    def checkpoint(self) -> None:
        """Move what the write-ahead log holds into the main file, as far as readers and room allow now.

        Raises `DeviceFailedError` where the device fails at it: nothing is lost, the log is read with the file.
        """
        try:
            self._db.execute("PRAGMA wal_checkpoint(PASSIVE)")
        except sqlite3.OperationalError as error:
            failure = explain(error, self.path)
            if isinstance(failure, DeviceFailedError):
                raise failure from error

    def log_bytes(self) -> int:
        """Size of the write-ahead log; it is used again from its beginning once all of it has been moved."""
        with suppress(OSError):
            return self.path.with_name(f"{self.path.name}-wal").stat().st_size
        return 0

    def free_share(self) -> float:
        """The share of the main file's pages that hold nothing: what deleted rows have left."""
        (free,) = self._db.execute("PRAGMA freelist_count").fetchone()
        (pages,) = self._db.execute("PRAGMA page_count").fetchone()
        return int(free) / max(1, int(pages))

    def vacuum(self) -> None:
        """Write the file anew without the pages that hold nothing; needs room for a second one meanwhile."""
        with self._explained():
            self._db.execute("VACUUM")

    def copy_to(self, path: Path) -> None:
        """Write what this connection sees to a new SQLite file, flushed, without a log beside it."""
        try:
            with closing(sqlite3.connect(path, isolation_level=None)) as target:
                self._db.backup(target)
        except sqlite3.Error as error:
            raise explain(error, path) from error

    def _damaged(self, detail: str) -> CorruptionError:
        return CorruptionError(self.path, detail, remedy="restore it from a copy, or index the documents again")

    # -- terms ----------------------------------------------------------------------------------------------------

    def term_ids(self, words: Sequence[str]) -> dict[str, int]:
        """Ids of those words that are known."""
        with self._explained():
            rows = self._db.execute(
                "SELECT word, id FROM terms WHERE word IN (SELECT value FROM json_each(?))",
                (json.dumps(list(words), ensure_ascii=False),),
            )
            return dict(rows)

    def add_terms(self, words: Sequence[str]) -> dict[str, int]:
        """Give new words the next free ids."""
        (used,) = self._db.execute("SELECT coalesce(max(id), -1) FROM terms").fetchone()
        ids = {word: used + 1 + number for number, word in enumerate(words)}
        self._db.executemany("INSERT INTO terms VALUES (?, ?)", ((id, word) for word, id in ids.items()))
        return ids

    def term_words(self, ids: Sequence[int]) -> dict[int, str]:
        """Words of those ids that are known."""
        with self._explained():
            rows = self._db.execute(
                "SELECT id, word FROM terms WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(list(ids)),)
            )
            return dict(rows)

    def count_terms(self) -> int:
        (count,) = self._db.execute("SELECT coalesce(max(id), -1) + 1 FROM terms").fetchone()  # ids leave no gap
        return int(count)


def _segment_checksum(values: Sequence[object]) -> int:
    *plain, dead, dead_terms = values
    none = b"\0"
    parts = [json.dumps(plain), *(none if blob is None else b"\1" + bytes(blob) for blob in (dead, dead_terms))]  # type: ignore[call-overload]
    return text_checksum(*parts)
