"""`encode_to_parts`: documents to files of vectors, part by part.

While one part is encoded the next is read and the last is written. Part k holds the documents from k·n to (k + 1)·n of
the source, in its order, so a run that goes on knows where it stands; the documents that it skips are compared with a
digest of those that were encoded. A part counts once its line in the journal is on the device.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import xxhash

from lsr.bulk.journal import Journal, prepare
from lsr.documents import Document
from lsr.encoders.base import Encoder
from lsr.encoders.registry import load_encoder
from lsr.encoders.settings import Setting
from lsr.encoders.terms import InMemoryTerms
from lsr.errors import EncoderError, InvalidDocumentError, InvalidSettingError, SourceError
from lsr.interchange.ids import UniqueIds, flaw_of_id
from lsr.interchange.writing import write_vectors
from lsr.store.lock import WriterLock
from lsr.vectors import SparseVectors

PART_DOCUMENTS = 10_000
LOCK = ".lock"


@dataclass(slots=True)
class EncodeReport:
    """What was done: documents in all parts, and those that this run encoded."""

    documents: int = 0
    encoded: int = 0
    parts: int = 0
    seconds: float = 0.0
    complete: bool = False


Progress = Callable[[EncodeReport], None]


def encode_to_parts(
    documents: Iterable[Document],
    folder: Path,
    *,
    encoder: str,
    settings: Mapping[str, Setting] | None = None,
    part_documents: int = PART_DOCUMENTS,
    workers: int = 0,
    progress: Progress | None = None,
) -> EncodeReport:
    """Encode all documents to `folder`/part-00000.npz and so on, SciPy CSR matrices with their ids beside them.

    Interrupted at any moment, the same call goes on where it stopped, and every document is in the parts exactly once.
    `lsr.interchange.read_vectors` reads a part, as does `scipy.sparse.load_npz`.

    Parameters
    ----------
    documents : iterable of Document
        In the same order each time.
    encoder, settings : str, mapping
        What `load_encoder` takes. Its terms must be its own: BM25's and DeepImpact's are an index's.
    part_documents : int
        Documents of a part.
    workers : int
        Processes that encode, each with an encoder of its own; 0 encodes on a thread of this one, which is best where
        the encoder uses all cores or a GPU itself.
    progress : callable, optional
        Called with the report after each part.

    Raises
    ------
    InvalidSettingError
        The folder was begun with other settings or holds something else; a setting out of range.
    SourceError
        The documents are not those that were encoded before.
    InvalidDocumentError
        An id that is flawed or given twice. What came before is kept.
    EncoderError, WriterLockedError, DiskFullError, AccessDeniedError, CorruptionError
    """
    if part_documents < 1 or workers < 0:
        raise InvalidSettingError(f"part_documents is {part_documents} and workers {workers}: at least 1 and 0")
    chosen = dict(settings or {})
    loaded = load_encoder(encoder, settings=chosen, terms=InMemoryTerms())
    if loaded.needs_terms:
        raise EncoderError(f"the terms of {encoder} are an index's", remedy="Index the documents with it instead")
    record = {
        "format": "lsr-vectors",
        "encoder": loaded.name,
        "settings": dict(loaded.settings),
        "fingerprint": loaded.fingerprint,
        "dim": loaded.dim,
        "part_documents": part_documents,
    }
    folder = Path(folder)
    prepare(folder)
    lock = WriterLock(folder / LOCK)
    started, report = time.perf_counter(), EncodeReport()
    try:
        journal = Journal(folder, record)
        stream = iter(documents)
        unique = UniqueIds()
        for part in journal.parts:
            batch = list(islice(stream, part["documents"]))
            if _digest(batch) != part["digest"] or len(batch) < part["documents"]:
                raise SourceError(
                    f"the documents of part {part['part']} in {folder} are not those of the source any more",
                    remedy="Encode the source as it was, or to a new folder",
                )
            unique.add([document.id for document in batch])
            report.documents += len(batch)
            report.parts += 1
        if journal.complete:
            if next(stream, None) is not None:
                raise SourceError(f"the source has more documents than {folder} was completed with", remedy=_NEW)
            report.complete = True
            return report
        for batch, vectors, last in _encoded(stream, loaded, encoder, chosen, part_documents, workers, unique):
            path = folder / f"part-{len(journal.parts):05d}.npz"
            ids = [document.id for document in batch]
            write_vectors(path, "scipy", [(ids, vectors)], overwrite=True)
            journal.add(
                {"file": path.name, "documents": len(batch), "nnz": vectors.nnz, "digest": _digest(batch), "last": last}
            )
            report.documents += len(batch)
            report.encoded += len(batch)
            report.parts += 1
            report.seconds = time.perf_counter() - started
            if progress is not None:
                progress(report)
        report.complete = True
        return report
    finally:
        report.seconds = time.perf_counter() - started
        lock.release()


_NEW = "Encode it to a new folder"


def _digest(documents: list[Document]) -> str:
    """Of ids and contents."""
    hasher = xxhash.xxh3_128()
    for document in documents:
        for text in (document.id, document.content):
            data = text.encode("utf-8", "surrogatepass")
            hasher.update(len(data).to_bytes(8, "little") + data)
    return hasher.hexdigest()


def _encoded(
    stream: Iterator[Document],
    loaded: Encoder,
    encoder: str,
    settings: Mapping[str, Setting],
    size: int,
    workers: int,
    unique: UniqueIds,
) -> Iterator[tuple[list[Document], SparseVectors, bool]]:
    """Documents and vectors of each part, and whether it is the last; two parts or one a worker are under way."""
    pool: Executor
    if workers:
        import multiprocessing

        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(encoder, dict(settings)))
    else:
        pool = ThreadPoolExecutor(1, thread_name_prefix="lsr-encode")
    under_way: deque[tuple[list[Document], Future[SparseVectors]]] = deque()
    try:
        while True:
            batch = _checked(list(islice(stream, size)), unique)
            if batch:
                texts = [document.content for document in batch]
                call = pool.submit(_encode, texts) if workers else pool.submit(loaded.encode_documents, texts)
                under_way.append((batch, call))
            while under_way and (not batch or len(under_way) > max(1, workers)):
                done, future = under_way.popleft()
                yield done, future.result(), not batch and not under_way
            if not batch:
                return
    finally:
        pool.shutdown(cancel_futures=True)


def _checked(batch: list[Document], unique: UniqueIds) -> list[Document]:
    for document in batch:
        if flaw := flaw_of_id(document.id):
            raise InvalidDocumentError(f"the id {document.id!r} {flaw}")
        if "\n" in document.id or "\r" in document.id:
            raise InvalidDocumentError(f"the id {document.id!r} has a line end, it cannot stand in a file of ids")
    if (again := unique.add([document.id for document in batch])) is not None:
        raise InvalidDocumentError(f"the id {batch[again].id!r} is given to two documents", remedy="Give each its own")
    return batch


_ENCODER: Encoder | None = None


def _begin(encoder: str, settings: Mapping[str, Setting]) -> None:
    """In a worker: an encoder of its own."""
    global _ENCODER
    _ENCODER = load_encoder(encoder, settings=settings)


def _encode(texts: list[str]) -> SparseVectors:
    assert _ENCODER is not None
    return _ENCODER.encode_documents(texts)
