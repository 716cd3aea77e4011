"""Numbers and rules that builder, searcher and file format share. Light to import: no numba.

The functions here are compiled into the kernels too, so they keep to whole numbers.
"""

from __future__ import annotations

#: Documents of a superblock: their local ids fill 16 bits, and 16-bit sums of all of them fit an L2 cache.
SUPERBLOCK = 65536

#: Documents of a block: for long lists the greatest impact of each block is kept, a bound of what it can score.
BLOCK = 32

#: Blocks of a superblock, and bytes of a row of such bounds.
ROW = SUPERBLOCK // BLOCK

#: Documents of a span: within one, local ids fill 8 bits.
SPAN = 256

#: Lists of fewer postings in their superblock have no row of bounds: their own postings are as quickly read.
ROW_FROM = 1152

#: Lists of so many postings are kept by spans, at two bytes a posting.
SPANNED_FROM = 1152

#: How a list's postings are kept; see `list_kind` and index/FORMAT.md.
PLAIN, SPANNED, DENSE = 0, 1, 2

#: Ways to search; see `lsr.index.search.SearchOptions`.
SCAN, PRUNE, AUTO = 0, 1, 2

#: Bytes of a spanned list before its postings: where each of the 256 spans begins, and the end.
SPAN_TABLE = 2 * (SUPERBLOCK // SPAN + 1)

#: Impacts whose k-th greatest is kept for each term, so that a search starts with a threshold.
KTH = (10, 100, 1000)

#: Documents whose best sum is kept apart; those of k groups are k different documents.
GROUP = 8

#: Groups whose best sum is kept again, so that few hits are found among many documents.
GROUPS = 8

#: Candidates for the k best that are gone through at a time, these k included.
CANDIDATES = 16384

#: Buckets in which group maxima are counted.
BUCKETS = 2048

#: Ordinals, and so the documents ever added to an index, stay below this.
MAX_ORDINAL = 2**32 - 1

#: Scores stay below this, so that score and ordinal fit one signed 64-bit key.
MAX_SCORE = 2**31


def list_kind(count: int, documents: int) -> int:
    """How a list of `count` postings is kept in a superblock of so many documents.

    Dense (a byte a document, in whole blocks) from a third of the documents on: about as small as postings, and added
    without looking anything up. Spanned (two bytes a posting) where the table of spans costs little. Else plain (three
    bytes).
    """
    if 3 * count >= (documents + BLOCK - 1) // BLOCK * BLOCK:
        return DENSE
    if count >= SPANNED_FROM:
        return SPANNED
    return PLAIN


def list_bytes(count: int, documents: int) -> int:
    """Bytes that a list takes, an even number."""
    blocks = (documents + BLOCK - 1) // BLOCK
    if 3 * count >= blocks * BLOCK:
        return blocks * BLOCK
    if count >= SPANNED_FROM:
        return SPAN_TABLE + 2 * count
    return 3 * count + (count & 1)
