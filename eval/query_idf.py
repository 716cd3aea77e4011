"""Which idf table should weight an inference-free query? The four settings of `query_idf` on judged collections.

    python eval/query_idf.py --data ../shared/data --to eval/results/query-idf.md

A table of the model's own is wanted to compare with; the carried model has none. So one is counted here as published
ones were, by idf(t) = ln(1 + (N − df + ½)/(df + ½)), over passages that are of none of the judged collections (the
training pairs of the data folder). Documents are the carried model's, encoded once a collection. Prints a table, and
one JSON object as the last line.
"""

from __future__ import annotations

import argparse
import gzip
import json
import platform
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

from lsr import Index
from lsr.encoders.idf import inverse_document_frequency
from lsr.encoders.manifest import FILE_NAME, IDF, Manifest, sha256
from lsr.encoders.onnx import OnnxEncoder
from lsr.encoders.registry import CARRIED
from lsr.engine.loading import LoadReport, load_documents
from lsr.engine.query import QUERY_IDF
from lsr.eval import evaluate_index, load_collection

SETS = ("med", "cranfield", "covidqa", "scifact", "cosqa", "nq-mini", "vaswani")


def counted_table(train: Path, each: int) -> tuple[dict[str, float], int]:
    """Token -> idf over up to `each` passages of every file of pairs, and the number of passages."""
    encoder = OnnxEncoder(CARRIED / "splade-tiny", queries="inference-free")
    df = np.zeros(encoder.dim, np.int64)
    passages = 0
    for path in sorted(train.glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            texts = [json.loads(line)["pos"] for _, line in zip(range(each), lines, strict=False)]
        texts = [text if isinstance(text, str) else str(text[0]) for text in texts]
        df += np.bincount(encoder.query_counts(texts).terms, minlength=encoder.dim)
        passages += len(texts)
    met = np.flatnonzero(df)
    idf = inverse_document_frequency(df[met], passages)
    return dict(zip(encoder.words(met.tolist()), idf.tolist(), strict=True)), passages


def with_table(folder: Path, table: dict[str, float]) -> OnnxEncoder:
    """The carried model with that table."""
    shutil.copytree(CARRIED / "splade-tiny", folder)
    data = json.dumps(table).encode()
    (folder / IDF).write_bytes(data)
    record = json.loads((folder / FILE_NAME).read_text())
    record["files"][IDF] = sha256(data)
    (folder / FILE_NAME).write_text(json.dumps(record))
    assert Manifest.read(folder).load(folder, IDF) == data
    return OnnxEncoder(folder, queries="inference-free")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--passages", type=int, default=8000, help="of each file of training pairs, for the table")
    parser.add_argument("--to", type=Path, help="write the table of results here")
    arguments = parser.parse_args()
    started = time.time()
    table, passages = counted_table(arguments.data / "train", arguments.passages)
    print(f"table of {len(table)} tokens over {passages} passages, {time.time() - started:.0f} s", flush=True)
    figures: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        encoder = with_table(Path(scratch) / "encoder", table)
        for name in arguments.sets:
            collection = load_collection(arguments.data / "beir" / name)
            with Index.create(Path(scratch) / name, encoder=encoder, query_idf="model") as index:
                documents = (document for document in collection.documents() if document.content.strip())
                load_documents(index, documents, LoadReport())
                row = {}
                for setting in QUERY_IDF:
                    index.query_idf = setting
                    row[setting] = evaluate_index(index, collection, measures=["nDCG@10"]).measures["nDCG@10"]
            figures[name] = row
            print(name, {setting: round(value, 4) for setting, value in row.items()}, flush=True)
            shutil.rmtree(Path(scratch) / name)
    figures["mean"] = {s: float(np.mean([row[s] for row in figures.values()])) for s in QUERY_IDF}
    lines = [f"| nDCG@10 | {' | '.join(QUERY_IDF)} |", f"|---|{'---|' * len(QUERY_IDF)}"]
    lines += [f"| {name} | {' | '.join(f'{row[s]:.4f}' for s in QUERY_IDF)} |" for name, row in figures.items()]
    report = "\n".join(
        [
            f"# Query idf ({time.strftime('%Y-%m-%d')})",
            "",
            f"`python eval/query_idf.py`: documents by splade-tiny (the carried model), `model` a table counted over "
            f"{passages} training passages of other collections. {platform.machine()}, {platform.system()}.",
            "",
            *lines,
            "",
        ]
    )
    print(report)
    if arguments.to is not None:
        arguments.to.parent.mkdir(parents=True, exist_ok=True)
        arguments.to.write_text(report)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
