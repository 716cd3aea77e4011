"""A checkpoint without terms that are in a great share of all texts: their biases are lowered, nothing else changes.

python training/cap_terms.py CHECKPOINT --to DIR --share 0.25 --prune 0.05 --texts answers.jsonl.gz abstracts.jsonl.gz \
  --sentences sentences.jsonl.gz

No term is then in more than the share of the sampled texts of any file. Prints what was lowered, in Markdown.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lsr.errors import InvalidSettingError, LsrError
from lsr.training.calibration import FIELD, sampled_texts
from lsr.training.capping import Capped, cap_terms


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path, help="a run of `lsr train`, or a checkpoint's folder")
    parser.add_argument("--to", type=Path, required=True, help="a new folder")
    parser.add_argument("--texts", type=Path, nargs="+", default=[], help="files; each is a group of its own")
    parser.add_argument("--sentences", type=Path, nargs="+", default=[], help="files of sentences, joined to passages")
    parser.add_argument("--words", type=int, default=100, help="words of such a passage (100)")
    parser.add_argument("--field", default=FIELD, help=f"where a record's text is ({FIELD})")
    parser.add_argument("--sample", type=int, default=1000, help="texts of a file (1000)")
    parser.add_argument("--seed", type=int, default=0, help="of the sample (0)")
    parser.add_argument("--share", type=float, required=True, help="above 0 and at most 1")
    parser.add_argument("--prune", type=float, required=True, help="as `lsr export` will be told")
    parser.add_argument("--max-length", type=int, help="tokens of a text that are read")
    parser.add_argument("--precision", default="float32", help="float32 or bfloat16 (float32)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, … (auto)")
    asked = parser.parse_args()
    try:
        files = [(path, 0) for path in asked.texts] + [(path, asked.words) for path in asked.sentences]
        if len({path for path, _ in files}) < len(files):
            raise InvalidSettingError("a file is named twice")
        groups = {
            str(path): sampled_texts(path, sample=asked.sample, field=asked.field, words=words, seed=asked.seed)
            for path, words in files
        }
        done = cap_terms(
            asked.checkpoint,
            asked.to,
            groups,
            share=asked.share,
            prune=asked.prune,
            max_length=asked.max_length,
            precision=asked.precision,
            device=asked.device,
        )
    except LsrError as error:
        sys.exit(f"error: {error}")
    print(_tables(done, asked.share))


def _tables(done: Capped, share: float) -> str:
    lines = ["| term | bias lowered by | greatest share before | after |", "|---|---|---|---|"]
    lines += [f"| `{t.term}` | {t.lowered:.3f} | {t.before:.3f} | {t.after:.3f} |" for t in done.terms]
    lines += ["", f"{len(done.terms)} terms lowered", ""]
    lines += [
        f"| group | texts | terms above {share:g} before | terms a text before | after |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {Path(g.name).name} | {g.texts} | {g.above} | {g.terms_before:.1f} | {g.terms_after:.1f} |"
        for g in done.groups
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
