"""What `lsr info` says of an index."""

from __future__ import annotations

from pathlib import Path

from lsr.encoders.base import Encoder
from lsr.engine.results import IndexInfo, SegmentInfo
from lsr.engine.snapshot import Snapshot
from lsr.store.schema import FILE_NAME, FORMAT_VERSION


def describe(path: Path, snapshot: Snapshot, encoder: Encoder, query_idf: str) -> IndexInfo:
    """Sizes, settings and segments of one generation."""
    segments = tuple(
        SegmentInfo(row.name, row.documents, row.deleted, row.postings, row.file.bytes) for row in snapshot.rows
    )
    postings = sum(row.postings for row in snapshot.rows)
    indexed = sum(row.documents for row in snapshot.rows)
    store_files = (path / FILE_NAME, path / f"{FILE_NAME}-wal")
    return IndexInfo(
        path=str(path),
        format_version=FORMAT_VERSION,
        generation=snapshot.generation,
        encoder=encoder.name,
        encoder_settings=dict(encoder.settings),
        fingerprint=encoder.fingerprint,
        query_idf=query_idf,
        documents=snapshot.state.documents,
        terms=snapshot.distinct_terms(),
        postings=postings,
        terms_per_document=postings / indexed if indexed else 0.0,
        store_bytes=sum(file.stat().st_size for file in store_files if file.exists()),
        segment_bytes=sum(row.file.bytes for row in snapshot.rows),
        segments=segments,
    )
