"""Runs Anserini inside the interpreter that has pyserini. Started as a file by `anserini`; imports nothing of lsr.

Reads one job as JSON on standard input: index a folder, or answer queries; writes the answer as JSON to the file that
the job names. pyserini's own Python classes are thin covers of the Java classes used here, and import torch.
"""

from __future__ import annotations

import glob
import importlib.util
import json
import os
import sys
from typing import Any


def _start(job: dict[str, Any]) -> Any:
    """`autoclass` of a Java machine that has Anserini's jar."""
    home = os.path.dirname(os.path.dirname(job["java"]))
    os.environ["JAVA_HOME"] = home
    found = glob.glob(os.path.join(home, "lib", "server", "libjvm.*"))  # .so or .dylib
    if found:
        os.environ["JVM_PATH"] = found[0]
    place = importlib.util.find_spec("pyserini")
    assert place is not None
    assert place.submodule_search_locations
    jars = os.path.join(place.submodule_search_locations[0], "resources", "jars")
    jnius_config: Any = importlib.import_module("jnius_config")
    jnius_config.add_options(
        f"-Xmx{job['memory']}",
        "-Dslf4j.internal.verbosity=WARN",
        "--enable-native-access=ALL-UNNAMED",
        f"-Djava.util.logging.config.file={os.path.join(jars, 'logging.properties')}",
    )
    jnius_config.set_classpath(max(glob.glob(os.path.join(jars, "*fatjar.jar"))))
    jnius: Any = importlib.import_module("jnius")
    return jnius.autoclass


def _index(java: Any, job: dict[str, Any]) -> dict[str, Any]:
    java("io.anserini.index.IndexCollection").main(job["arguments"])
    return {"indexed": True}


def _search(java: Any, job: dict[str, Any]) -> dict[str, Any]:
    ask = _impacts(java, job) if job["kind"] == "impact" else _bm25(java, job)
    return {"hits": [ask(query) for query in job["queries"]]}


def _impacts(java: Any, job: dict[str, Any]) -> Any:
    searcher = java("io.anserini.search.SimpleImpactSearcher")(job["index"])
    maps, whole = java("java.util.HashMap"), java("java.lang.Integer")

    def ask(query: dict[str, int]) -> list[tuple[str, float]]:
        weights = maps()
        for term, weight in query.items():
            weights.put(term, whole(weight))
        return [(hit.docid, hit.score) for hit in searcher.search(weights, job["k"])]

    return ask


def _bm25(java: Any, job: dict[str, Any]) -> Any:
    if job["accurate"]:
        return _accurate(java, job)
    searcher = java("io.anserini.search.SimpleSearcher")(job["index"])
    searcher.set_bm25(job["k1"], job["b"])
    if job["pretokenized"]:
        searcher.set_analyzer(java("org.apache.lucene.analysis.core.WhitespaceAnalyzer")())
    fields = java("java.util.HashMap")()
    for name in job["fields"]:
        fields.put(name, java("java.lang.Float")(1.0))

    def ask(query: str) -> list[tuple[str, float]]:
        found = searcher.search_fields(query, fields, job["k"]) if job["fields"] else searcher.search(query, job["k"])
        return [(hit.docid, hit.score) for hit in found]

    return ask


def _accurate(java: Any, job: dict[str, Any]) -> Any:
    """Exact document lengths, which Anserini's own searcher has no switch for; scores are not rounded either."""
    reader = java("org.apache.lucene.index.DirectoryReader").open(
        java("org.apache.lucene.store.FSDirectory").open(java("java.nio.file.Paths").get(job["index"]))
    )
    searcher = java("org.apache.lucene.search.IndexSearcher")(reader.getContext())
    searcher.setSimilarity(java("io.anserini.search.similarity.AccurateBM25Similarity")(job["k1"], job["b"]))
    analyzer = java("org.apache.lucene.analysis.core.WhitespaceAnalyzer")()
    generator = java("io.anserini.search.query.BagOfWordsQueryGenerator")()
    stored = reader.storedFields()

    def ask(query: str) -> list[tuple[str, float]]:
        found = searcher.search(generator.buildQuery("contents", analyzer, query), job["k"]).scoreDocs
        return [(stored.document(hit.doc).get("id"), hit.score) for hit in found]

    return ask


def main() -> None:
    job = json.load(sys.stdin)
    java = _start(job)
    result = _index(java, job) if job["do"] == "index" else _search(java, job)
    with open(job["output"], "w", encoding="utf-8") as file:
        json.dump(result, file)


if __name__ == "__main__":
    main()
