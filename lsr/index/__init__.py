"""Sparse vectors in immutable block-structured segments on disk, and exact top-k over them.

Knows integers, arrays and files. Knows nothing of text, encoders, SQLite or what a document is beyond its ordinal.
"""
