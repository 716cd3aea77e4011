#!/usr/bin/env python3
"""Search the same vectors with our engine and with Anserini (Lucene), and the same words with bm25s; print how far they
agree, with the published figures beside.

    make anserini && python eval/crosscheck.py ../shared/data/beir/scifact --out eval/results/crosscheck-scifact.md

A thin door: the systems and the comparison are in `lsr.eval`.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

#: What is compared: first system, second, what should come of it.
PAIRS = (
    (
        "bm25,scoring=float",
        "anserini-bm25,analyzer=english,accurate=true",
        "same words, exact lengths, no quantisation",
    ),
    ("bm25", "anserini-impact,encoder=bm25", "the same 8-bit impacts and integer query weights"),
    ("splade-tiny-doc", "anserini-impact,encoder=splade-tiny-doc", "the same, expanded documents, queries looked up"),
    ("splade-tiny", "anserini-impact,encoder=splade-tiny", "the same, queries by the model"),
    ("bm25", "bm25,scoring=float", "what 8 bits change"),
    ("bm25,scoring=float", "bm25s", "same words; bm25s adds in float32"),
    ("bm25,scoring=float", "anserini-bm25,analyzer=english", "same words; Lucene keeps lengths in one byte"),
    ("bm25,scoring=float", "anserini-bm25", "Lucene's own analyzer (Porter) and lengths"),
)

#: Further systems, for their figures only.
ALONE = (
    "bm25,fields=title+text",
    "anserini-bm25,fields=title+text",
    "bm25s,analyzer=bm25s",
    "bm25s,analyzer=bm25s,k1=1.2,b=0.75",
)


def main() -> int:
    from lsr.cli.output import fail
    from lsr.errors import LsrError

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("collection", help="a BEIR folder or an id of ir_datasets")
    parser.add_argument("--out", type=Path, help="write the tables here, as Markdown")
    parser.add_argument("--indexes", type=Path, help="keep our indexes here")
    asked = parser.parse_args()
    try:
        return run(asked)
    except LsrError as error:
        fail(error)


def run(asked: argparse.Namespace) -> int:
    from lsr.eval import load_collection
    from lsr.eval.agreement import agreement
    from lsr.eval.evaluate import evaluate_system
    from lsr.eval.provenance import cpu_model
    from lsr.eval.systems import open_system, parse_system
    from lsr.eval.systems.anserini import find_anserini

    anserini = find_anserini()
    collection = load_collection(asked.collection)
    results: dict[str, Any] = {}
    names = list(dict.fromkeys([name for pair in PAIRS for name in pair[:2]] + list(ALONE)))
    for target, system, words in [*((collection, name, "") for name in names), *_their_words(collection)]:
        with open_system(parse_system(system), target, directory=asked.indexes) as (opened, _):
            results[f"{system}{words}"] = evaluate_system(opened, target)
        print(f"{system}{words}: {results[f'{system}{words}'].measures}", flush=True)

    rows, found = [], []
    for first, second, what in PAIRS:
        one = agreement(results[first].run, results[second].run)
        gap = "–" if one.widest_gap is None else f"{one.widest_gap:.1e}"
        lists = f"{one.same_lists}/{one.queries}"
        rows.append(f"| {first} | {second} | {what} | {one.share:.1%} | {lists} | {gap} |")
        found.append(
            {"first": first, "second": second, "same_sets": one.share, "same_lists": one.same_lists / one.queries}
        )
    figures = [
        f"| {name} | {result.measures['nDCG@10']:.4f} | {result.measures['R@100']:.4f} |"
        for name, result in results.items()
    ]
    text = "\n".join(
        [
            f"# Cross-check on {collection.name}",
            "",
            f"{datetime.now(UTC):%Y-%m-%d}, {cpu_model()}; pyserini {anserini.pyserini}, Java {anserini.java_version}. "
            "`python eval/crosscheck.py`. No time is measured here.",
            "",
            "Same top-10 sets: share of queries. Same lists: queries with every hit down to rank 100 in one place. "
            "Gap: where top-10 sets differ, how far the scores of the documents in question lie apart in the first "
            "system, relative to its tenth score, at most; – where the first system does not have one of them in 100.",
            "",
            "| first | second | | same top-10 sets | same lists | gap |",
            "|---|---|---|---:|---:|---:|",
            *rows,
            "",
            "Published nDCG@10 of BM25 on SciFact: .6789 (Anserini, flat), .6647 (multifield), .676 and .679 (bm25s's "
            "words, k1 .9 b .4 and k1 1.2 b .75).",
            "",
            "| system | nDCG@10 | R@100 |",
            "|---|---:|---:|",
            *figures,
            "",
        ]
    )
    if asked.out:
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        asked.out.write_text(text)
    print(text)
    measures = {name: result.measures for name, result in results.items()}
    print(json.dumps({"collection": collection.name, "agreement": found, "figures": measures}))
    return 0


def _their_words(collection: Any) -> list[tuple[Any, str, str]]:
    """Our BM25 over the words of bm25s's tokenizer, at the two published settings."""
    from lsr.documents import Document
    from lsr.eval.collections.derived import Derived
    from lsr.eval.systems.bm25s import words_by

    words = words_by("bm25s")
    theirs = Derived(
        collection,
        "words of bm25s",
        lambda document: Document(document.id, " ".join(words(document.content))),
        lambda text: " ".join(words(text)),
    )
    note = " on bm25s's words"
    return [(theirs, f"bm25,analyzer=plain{settings}", note) for settings in ("", ",k1=1.2,b=0.75")]


if __name__ == "__main__":
    sys.exit(main())
