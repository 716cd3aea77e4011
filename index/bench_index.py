"""The index against its peers on the same vectors, in one run: `make bench-index`, `make bench-index QUICK=1`.

    python index/bench_index.py run [--quick | --large] [--sets diffuse:100000 ...] [--peers lsr bmp ...]
    python index/bench_index.py encode [--documents 100000] [--device cpu]     real documents, once
    python index/bench_index.py report index/results/NAME.json                 tables and plots anew
    python index/bench_index.py peers                                          what is installed here

Writes a Markdown table, a plot and the raw figures under index/results/, and prints one JSON object of ratios as its
last line. See index/README.md.
"""

import sys

from bench_index.commands import main

if __name__ == "__main__":
    sys.exit(main())
