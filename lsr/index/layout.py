"""Numbers that builder, searcher and file format share. Light to import: no numba."""

from __future__ import annotations

#: Documents of a superblock: their local ids fill 16 bits, and 16-bit sums of all of them fit an L2 cache.
SUPERBLOCK = 65536

#: Documents whose best sum is kept apart; those of k groups are k different documents.
GROUP = 8

#: Buckets in which group maxima are counted.
BUCKETS = 2048

#: Ordinals, and so the documents ever added to an index, stay below this.
MAX_ORDINAL = 2**32 - 1

#: Scores stay below this, so that score and ordinal fit one signed 64-bit key.
MAX_SCORE = 2**31
