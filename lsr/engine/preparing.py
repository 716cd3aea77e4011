"""What a caller wants written, checked and made ready before anybody's lock is taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lsr.documents import Document
from lsr.encoders.base import Encoder
from lsr.errors import EncoderMismatchError, InvalidDocumentError, InvalidVectorsError
from lsr.vectors import SparseVectors


def last_of_each(documents: Sequence[Document]) -> dict[str, int]:
    """For each id, the place of its last document."""
    return {document.id: place for place, document in enumerate(documents)}


def checked_body(document: Document, *, needs_content: bool = True) -> bytes:
    """The document's JSON, or `InvalidDocumentError`."""
    if not isinstance(document.id, str) or not document.id:
        raise InvalidDocumentError(f"a document's id is {document.id!r}, it must be a text that is not empty")
    if not (isinstance(document.text, str) and isinstance(document.title, str)):
        raise InvalidDocumentError(f"document {document.id!r}: title and text must be texts")
    if needs_content and not document.content.strip():
        raise InvalidDocumentError(f"document {document.id!r} has neither title nor text")
    if not isinstance(document.metadata, Mapping):
        raise InvalidDocumentError(f"document {document.id!r}: its metadata must be a dict")
    try:
        return document.to_json().encode()
    except (TypeError, ValueError, RecursionError) as error:  # UnicodeEncodeError is a ValueError
        raise InvalidDocumentError(f"document {document.id!r} cannot be stored as JSON: {error}") from None


def checked_vectors(
    documents: Sequence[Document], vectors: SparseVectors, fingerprint: str | None, encoder: Encoder
) -> None:
    """Raise where ready-made vectors are not those of the index's encoder, one a document."""
    if fingerprint != encoder.fingerprint:
        whose = "name no encoder" if fingerprint is None else f"come from the encoder {fingerprint[:12]}"
        raise EncoderMismatchError(
            f"the vectors {whose}, the index was built with {encoder.fingerprint[:12]}",
            remedy="encode the documents with the index's encoder and pass that encoder's fingerprint",
        )
    if len(vectors) != len(documents):
        raise InvalidVectorsError(f"there are {len(vectors)} vectors for {len(documents)} documents")
    if vectors.nnz and int(vectors.terms.max()) >= encoder.dim:
        raise InvalidVectorsError(f"term {int(vectors.terms.max())} is beyond the {encoder.dim} terms of the index")


def rows_of(vectors: SparseVectors, places: Sequence[int]) -> SparseVectors:
    """Those rows, in that order; the same object where they are all there are."""
    chosen = np.array(places, np.int64)
    if len(chosen) == len(vectors) and bool((chosen == np.arange(len(vectors))).all()):
        return vectors
    return vectors[chosen]


def merge_patch(target: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """`target` with the changes of `patch`: JSON Merge Patch (RFC 7396). None removes a key, objects are entered."""
    result = dict(target)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            inner = result.get(key)
            result[key] = merge_patch(inner if isinstance(inner, Mapping) else {}, value)
        else:
            result[key] = value
    return result
