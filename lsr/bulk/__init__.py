"""Encoding whole corpora to files, without an index: resumable, every document exactly once."""

from lsr.bulk.encode import EncodeReport, encode_to_parts

__all__ = ["EncodeReport", "encode_to_parts"]
