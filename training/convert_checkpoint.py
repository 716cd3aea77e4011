"""Convert a BERT masked-LM checkpoint to the form that lsr runs without torch; see README.md here."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lsr.encoders.convert import convert_checkpoint
from lsr.errors import LsrError


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path, help="folder with config.json, model.safetensors and tokenizer.json")
    parser.add_argument("target", type=Path, help="folder to write model.onnx, tokenizer.json and manifest.json to")
    parser.add_argument("--name", required=True, help="what the encoder is called")
    parser.add_argument("--source", required=True, help="where the checkpoint came from")
    parser.add_argument("--licence", required=True, help="SPDX identifier of the licence of the weights")
    parser.add_argument("--max-length", type=int, default=256, help="tokens of a text that are read (default: 256)")
    arguments = parser.parse_args()
    try:
        manifest = convert_checkpoint(
            arguments.checkpoint,
            arguments.target,
            name=arguments.name,
            source=arguments.source,
            licence=arguments.licence,
            max_length=arguments.max_length,
        )
    except LsrError as error:
        print(f"convert_checkpoint: {error}", file=sys.stderr)
        return 1
    print(manifest.to_json(), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
