"""The benchmark of the index against its peers. Run by `index/bench_index.py`; no part of the package `lsr`."""
