"""How a sparse encoder stands on judged collections beside dense encoders, the teachers' ensemble and hybrids.

    python eval/beir.py --sets scifact … --systems bm25 lsr-mini-en --data DATA --out RUNS --measures nDCG@10 R@1000
    python training/judged_table.py --runs RUNS --data DATA --sets scifact … --dense minilm=FOLDER:256 \
        mpnet=FOLDER:384 --fuse lsr-mini-en+minilm bm25+minilm mpnet+0.5*minilm+0.75*bm25

Sparse systems are the runs that eval/beir.py left, RUNS/<set>/<system>.trec, as served. Dense ones are exact cosines
of sentence-transformers checkpoints, float16, texts cut to so many tokens; their vectors are kept below --vectors and
found again. A fusion is `lsr.fusion.zscore_fusion` over the first --depth hits of each, weights as written; runs that
were cut at fewer are refused. Nothing is chosen here. Prints a Markdown table of the measure; --to writes it too.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lsr.errors import EvaluationError, LsrError
from lsr.eval.collections import load_collection
from lsr.eval.collections.base import Collection
from lsr.eval.measures import measure_run
from lsr.eval.runs import Run, read_run
from lsr.fusion import zscore_fusion

_KEPT = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--runs", type=Path, required=True, help="--out of eval/beir.py")
    add("--data", type=Path, required=True, help="a folder with beir/<set>/")
    add("--sets", nargs="+", required=True)
    add("--systems", nargs="+", default=["bm25", "lsr-mini-en"], help="labels of runs")
    add("--dense", nargs="*", default=[], help="NAME=FOLDER:TOKENS")
    add("--fuse", nargs="*", default=[], help="WEIGHT*NAME+NAME…")
    add("--depth", type=int, default=200, help="of fusions, 1,000 at most (default: 200)")
    add("--vectors", type=Path, default=Path("vectors"), help="where dense vectors are kept")
    add("--measure", default="nDCG@10", help="a name of ir_measures")
    add("--to", type=Path, help="write the table here")
    arguments = parser.parse_args()
    try:
        table = tabulated(arguments)
    except LsrError as error:
        sys.exit(f"error: {error}")
    print(table)
    if arguments.to is not None:
        arguments.to.write_text(table + "\n")


def tabulated(asked: argparse.Namespace) -> str:
    """The table, a row a system, a column a set, and the mean."""
    dense = [named.partition("=")[::2] for named in asked.dense]
    rows: dict[str, list[float]] = {}
    for name in asked.sets:
        collection = load_collection(asked.data / "beir" / name)
        documents = sum(1 for _ in collection.documents()) if asked.fuse else 0
        runs = {system: read_run(asked.runs / name / f"{system}.trec") for system in asked.systems}
        for system, place in dense:
            folder, _, tokens = place.rpartition(":")
            runs[system] = dense_run(
                collection, system, Path(folder), int(tokens), asked.vectors / f"{system}-{tokens}-{name}.npz"
            )
        for fusion in asked.fuse:
            runs[fusion] = fused(fusion, runs, list(collection.qrels), asked.depth, documents)
        for system, run in runs.items():
            rows.setdefault(system, []).append(measure_run(run, collection.qrels, [asked.measure]).mean[asked.measure])
    head = f"| {asked.measure} | " + " | ".join(asked.sets) + " | mean |"
    lines = [head, "|---" * (len(asked.sets) + 2) + "|"]
    for system, values in rows.items():
        cells = [f"{value:.4f}".lstrip("0") for value in (*values, float(np.mean(values)))]
        lines.append(f"| `{system}` | " + " | ".join(cells[:-1]) + f" | **{cells[-1]}** |")
    return "\n".join(lines)


def fused(expression: str, runs: dict[str, Run], queries: Sequence[str], depth: int, documents: int) -> Run:
    """The fusion that `0.5*a+b` says, query by query.

    Raises
    ------
    EvaluationError
        There is no such system, or its run was cut at fewer hits than `depth`.
    """
    legs, weights = [], []
    for part in expression.split("+"):
        weight, star, name = part.rpartition("*")
        if name not in runs:
            raise EvaluationError(f"{expression}: there is no system {name!r}", remedy=f"There are {', '.join(runs)}")
        cut = cut_at(runs[name], documents)
        if cut is not None and cut < depth:
            raise EvaluationError(
                f"{expression}: the run of {name} was cut at {cut} hits, the fusion looks at {depth}",
                remedy=f"Make it with --measures nDCG@10 R@{depth}, or choose --depth {cut}",
            )
        legs.append(runs[name])
        weights.append(float(weight) if star else 1.0)
    return {query: zscore_fusion([leg.get(query, []) for leg in legs], weights, depth=depth) for query in queries}


def cut_at(run: Run, documents: int) -> int | None:
    """How many hits a query a run was cut at, None where every query seems to have all of its hits.

    A run that was cut has as many for most queries; one that was not has them only where that is all `documents`.
    """
    lengths = [len(hits) for hits in run.values()]
    longest = max(lengths)
    return longest if longest < documents and 2 * lengths.count(longest) > len(lengths) else None


def dense_run(collection: Collection, name: str, folder: Path, tokens: int, kept: Path) -> Run:
    """Exact cosines of a collection, the best 1,000 of each query; vectors from `kept`, or encoded and kept there."""
    if not kept.is_file():
        from lsr.training.teachers.networks import SentenceNetwork

        network = SentenceNetwork(name, folder)
        documents = list(collection.documents())
        # A text without any word still has its row: a space is one padded token.
        texts = [f"{document.title} {document.text}".strip() or " " for document in documents]
        kept.parent.mkdir(parents=True, exist_ok=True)
        aside = kept.with_name(f".{kept.name}")
        with aside.open("wb") as file:
            np.savez(
                file,
                documents=network.encode_texts(texts, tokens),
                queries=network.encode_texts(list(collection.queries.values()), tokens),
                document_ids=np.array([document.id for document in documents]),
                query_ids=np.array(list(collection.queries)),
            )
        aside.replace(kept)
    with np.load(kept) as found:
        documents_, queries = found["documents"].astype(np.float32), found["queries"].astype(np.float32)
        ids, asked = found["document_ids"], found["query_ids"]
    run: Run = {}
    for query, vector in zip(asked.tolist(), queries, strict=True):
        scores: NDArray[np.float32] = documents_ @ vector
        best = np.argsort(-scores, kind="stable")[:_KEPT]
        run[query] = [(str(ids[place]), float(scores[place])) for place in best]
    return run


if __name__ == "__main__":
    main()
