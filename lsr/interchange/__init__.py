"""Ready-made sparse vectors in the formats of other tools, read and written, so that all search the same vectors.

::

    from lsr.interchange import read_vectors, write_vectors

    source = read_vectors("msmarco/", format="anserini")
    for ids, vectors in source:          # batches of list[str] and SparseVectors
        ...
    source.vocabulary                    # term ids to words, where the format has words
    write_vectors("msmarco.ciff", "ciff", source, words=source.vocabulary)

Knows file formats. Knows nothing of encoders, indexes or how a vector was made.
"""

from lsr.interchange.format import Batch, Written
from lsr.interchange.reading import VectorFile, read_vectors
from lsr.interchange.registry import list_formats
from lsr.interchange.vocabulary import Terms, Vocabulary
from lsr.interchange.writing import write_vectors

__all__ = ["Batch", "Terms", "VectorFile", "Vocabulary", "Written", "list_formats", "read_vectors", "write_vectors"]
