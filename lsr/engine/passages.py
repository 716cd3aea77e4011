"""The passage of a long document that a query finds it for. Knows an index and its encoder, and no files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsr.encoders.passages import Passage, PassageEncoder
from lsr.errors import EncoderError

if TYPE_CHECKING:
    from lsr.engine.index import Index


def best_passage(index: Index, document_id: str, query: str) -> Passage:
    """The best passage of one document for a query, encoded anew: characters of the document's `content`.

    Raises
    ------
    DocumentNotFoundError
        No live document has that id.
    EncoderError
        The index's encoder reads no passages.
    """
    encoder = index.encoder
    if not isinstance(encoder, PassageEncoder):
        raise EncoderError(
            f"{encoder.name} does not read documents by passages",
            remedy="Make the index with the encoder setting passage_tokens",
        )
    document = index.document(document_id)
    row = index.query_weights([query])
    return encoder.best_passage(document.content, row.terms, row.weights)
