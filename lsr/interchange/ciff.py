"""CIFF, the Common Index File Format: an inverted index in one file, as Lucene, PISA and others exchange it.

A header, as many postings lists as it says, as many document records; each a Protocol Buffers message after its length
(wire.py). Postings give gaps between document numbers, from 0; a posting's `tf` is taken for its weight.
Message definitions: https://github.com/osirrc/ciff; the field numbers below are its.

Reading turns columns into rows with bounded memory. One pass over the file spools (document, list, weight) to a
temporary file of runs sorted by document, 12 bytes a posting (spool.py); then each batch of documents gathers its rows
from the runs. Beside the spool's memory that takes about 60 bytes a document and the vocabulary.

Writing does the reverse: rows are spooled by term, then each list is gathered, quantised and encoded, one in memory at
a time; lists are sorted by the bytes of their words, as Lucene's are. Weights that are all whole are written as they
are. Others become 8-bit impacts, and the description says what one unit is worth, by which reading gives weights again.
"""

from __future__ import annotations

from lsr.interchange.ciff_read import read_ciff
from lsr.interchange.ciff_write import write_ciff
from lsr.interchange.format import Format

FORMAT = Format(
    name="ciff",
    description="the Common Index File Format, an inverted index with impacts",
    suffixes=(".ciff",),
    read=read_ciff,
    write=write_ciff,
    settings=frozenset({"scale", "scratch", "ceiling", "memory"}),
)
