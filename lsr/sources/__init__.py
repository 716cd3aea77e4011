"""Sources of documents: files, folders and standard input, each read as a stream of `Document`.

`read_documents("corpus.jsonl.gz")` is the short way; `Source` also knows its size and how much of it is read.
One format a file; knows nothing of encoders or indexes, and does not look for duplicate ids.
"""

from __future__ import annotations

from lsr.sources.fields import Fields
from lsr.sources.report import ReadReport
from lsr.sources.source import Source, read_documents
from lsr.sources.stdlib_docs import python_documentation

__all__ = ["Fields", "ReadReport", "Source", "python_documentation", "read_documents"]
