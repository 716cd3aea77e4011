"""Documents, their vectors and the commit: one SQLite file, the single source of truth of an index directory.

Knows rows, checksums, transactions and the writer's lock. Knows nothing of encoders, queries or scores.
"""
