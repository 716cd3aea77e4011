"""The mean of several runs' weights as one checkpoint; `lsr export` makes an encoder of it.

python training/average_checkpoints.py RUN RUN --to DIR --weights 1 1 --bias-shift 0.2
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lsr.errors import LsrError
from lsr.training.averaging import average_checkpoints


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", help="runs of `lsr train`, or checkpoints' folders")
    parser.add_argument("--to", type=Path, required=True, help="a new folder")
    parser.add_argument("--weights", type=float, nargs="+", help="one a run; equal by default")
    parser.add_argument("--bias-shift", type=float, default=0.0, help="added to every bias of the vocabulary")
    asked = parser.parse_args()
    try:
        print(average_checkpoints(asked.runs, asked.to, weights=asked.weights, bias_shift=asked.bias_shift))
    except LsrError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
