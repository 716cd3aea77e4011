"""From sources to `PreparedData`: read, check, deduplicate, tokenise, hold out. Done once for a recipe's `[data]`.

Knows what makes two texts the same and which rows are left out; every such row is counted.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from lsr.errors import RecipeError, TrainingDataError
from lsr.text.wordpiece import WordPieceTokenizer
from lsr.training.data.leaks import judged_collections, judged_queries, query_key, text_key
from lsr.training.data.pairs import Pair, read_pairs, source_file, source_name
from lsr.training.data.prepared import MANIFEST, VOCABULARY, DataManifest, PreparedData, count_documents, splitting
from lsr.training.data.pseudo import make_pseudo_queries, spelled
from lsr.training.data.ragged import Ragged, TextsWriter
from lsr.training.recipe import Data, Source

Say = Callable[[str], None]
#: Pairs that are read and tokenised at a time.
_CHUNK = 4096
#: Characters of a text that are kept for each token that is read.
_CHARACTERS = 16
#: What is counted of a source: rows, pairs kept, and rows left out by reason.
_COUNTS = ("rows", "kept", "judged", "repeated", "blank")


def prepare(data: Data, tokenizer_file: Path, max_length: int, folder: Path, seed: int, say: Say) -> PreparedData:
    """The prepared data of a recipe: found in its cache, or made.

    What is in the cache needs neither the sources nor the judged collections.

    Parameters
    ----------
    data : Data
    tokenizer_file : Path
        The student's `tokenizer.json`.
    max_length : int
        Tokens of a document that are read, special ones included.
    folder : Path
        What paths of sources are relative to.
    seed : int
        Of what is held out and of pseudo-queries.
    say : callable
        Is told what is done, a line at a time.

    Raises
    ------
    TrainingDataError
        A source cannot be used; what is in the cache was made from other files, or without a look at a judged
        collection that is there.
    """
    tokenizer = WordPieceTokenizer.from_file(tokenizer_file)
    key = _key(data, tokenizer, max_length, seed)
    place = data.cache / f"data-{key[:16]}"
    if (place / MANIFEST).is_file():
        found = PreparedData(place)
        if unchecked := _unchecked(found.manifest, data):
            raise TrainingDataError(
                f"{place} was prepared without a look at the judged collection {unchecked}",
                remedy=f"Remove {place} to prepare it anew, or name another data.cache",
            )
        if changed := _changed(found.manifest, data, folder):
            raise TrainingDataError(
                f"{changed} is not what {place} was prepared from", remedy=f"Remove {place} to prepare it anew"
            )
        say(f"data: {place}")
        return found
    data.cache.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="preparing-", dir=data.cache))
    try:
        spelling = {"splitting": splitting(tokenizer_file), "tokens": tokenizer.tokens(range(tokenizer.size))}
        (scratch / VOCABULARY).write_text(json.dumps(spelling, ensure_ascii=False))
        with closing(_Preparation(data, tokenizer, max_length, folder, seed, scratch, key)) as preparation:
            preparation.run(say)
        try:
            scratch.rename(place)
        except OSError:
            if not (place / MANIFEST).is_file():
                raise
            shutil.rmtree(scratch)  # another process was first, with the same
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    return PreparedData(place)


def _key(data: Data, tokenizer: WordPieceTokenizer, max_length: int, seed: int) -> str:
    vocabulary = hashlib.sha256("\n".join(tokenizer.tokens(range(tokenizer.size))).encode()).hexdigest()
    sources = [asdict(source) | {"weight": 1} for source in data.sources]
    record: dict[str, Any] = {
        "sources": sources,
        "judged_splits": data.judged_splits,
        "holdout": data.holdout,
        "query_length": data.query_length,
        "pseudo": asdict(data.pseudo),
        "vocabulary": vocabulary,
        "max_length": max_length,
        "seed": seed,
    }
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _unchecked(manifest: DataManifest, data: Data) -> str | None:
    """The first judged collection that is there and whose queries may be among the pairs."""
    if manifest.judged is None:  # of an earlier version, which did not say
        return None
    names = (collection.resolve().name for collection in judged_collections(data.judged, away=True))
    return next((name for name in names if name not in manifest.judged), None)


def _changed(manifest: DataManifest, data: Data, folder: Path) -> str | None:
    """The first source file that is there with another size. Sources that are away cannot have changed."""
    for source, record in zip(data.sources, manifest.sources, strict=True):
        try:
            path = source_file(source, folder)
        except RecipeError:  # an environment variable of its path is not set here
            continue
        if path is not None and path.is_file() and path.stat().st_size != record["bytes"]:
            return str(path)
    return None


@dataclass
class _Preparation:
    data: Data
    tokenizer: WordPieceTokenizer
    max_length: int
    folder: Path
    seed: int
    place: Path
    key: str
    documents: dict[bytes, int] = field(default_factory=dict)
    queries: dict[bytes, int] = field(default_factory=dict)
    pairs: dict[tuple[int, int], int] = field(default_factory=dict)
    domains: list[int] = field(default_factory=list)
    negatives: list[list[int]] = field(default_factory=list)
    scores: list[tuple[float, ...]] = field(default_factory=list)
    document_tokens: list[Ragged] = field(default_factory=list)
    query_tokens: list[Ragged] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.document_texts = TextsWriter(self.place, "documents.text")
        self.query_texts = TextsWriter(self.place, "queries.text")

    def close(self) -> None:
        """Close what is written to."""
        self.document_texts.close()
        self.query_texts.close()

    def run(self, say: Say) -> None:
        self.dtype = np.uint16 if self.tokenizer.size <= 65536 else np.uint32
        framed, inner = self.tokenizer.inputs(["a"], 64)[0], self.tokenizer.ids("a")
        self.lead = next(i for i in range(len(framed)) if framed[i : i + len(inner)] == inner)
        prefix, suffix = framed[: self.lead], framed[self.lead + len(inner) :]
        judged = judged_queries(self.data.judged, self.data.judged_splits)
        records = []
        for number, source in enumerate(self.data.sources):
            record = self._read(number, source, judged)
            records.append(record)
            say(f"data: {record['name']}: " + ", ".join(f"{record[count]:,} {count}" for count in _COUNTS))
        if not self.pairs:
            reasons = ", ".join(f"{sum(record[count] for record in records):,} {count}" for count in _COUNTS[2:])
            raise TrainingDataError(
                f"no training pair is left: {reasons}", remedy="Add sources, or look at their texts"
            )
        documents = Ragged.concat(self.document_tokens)
        pairs = np.array([(q, d, domain) for (q, d), domain in zip(self.pairs, self.domains, strict=True)], np.int32)
        held = self._hold_out(pairs)
        if self.data.holdout and not held.any():
            say(f"data: nothing is held out: data.holdout is below the {len(records)} sources, or they are too small")
        given = len(self.query_texts)  # blank ones have a key, but no number
        made = make_pseudo_queries(documents, self.tokenizer, self.data.pseudo, self.seed)
        pseudo = self._pseudo_pairs(made.documents, given, pairs)
        for row in range(len(made.tokens)):
            self.query_texts.add(spelled(self.tokenizer.tokens(made.tokens[row].tolist())))
        documents.save(self.place, "documents")
        Ragged.concat([*self.query_tokens, made.tokens]).save(self.place, "queries")
        np.save(self.place / "pairs.npy", pairs)
        np.save(self.place / "pseudo.npy", pseudo)
        np.save(self.place / "held_out.npy", held)
        Ragged.of(self.negatives, np.int32).save(self.place, "negatives")
        Ragged.of(self.scores, np.float32).save(self.place, "scores")
        np.save(self.place / "document_frequencies.npy", count_documents(documents, self.tokenizer.size))
        self.close()
        DataManifest(
            key=self.key,
            vocabulary=self.tokenizer.size,
            special_ids=self.tokenizer.special_ids,
            prefix=tuple(prefix),
            suffix=tuple(suffix),
            pad_id=self.tokenizer.pad_id,
            max_length=self.max_length,
            query_length=self.data.query_length,
            queries=given,
            pseudo_queries=len(made.tokens),
            documents=len(documents),
            pairs=len(pairs),
            held_out=int(held.sum()),
            sources=tuple(records),
            judged=tuple(path.resolve().name for path in judged_collections(self.data.judged)),
        ).write(self.place)
        sizes = {"queries": given, "pseudo-queries": len(made.tokens), "documents": len(documents), "pairs": len(pairs)}
        say("data: " + ", ".join(f"{size:,} {name}" for name, size in sizes.items()))

    def _read(self, domain: int, source: Source, judged: set[str]) -> dict[str, Any]:
        path = source_file(source, self.folder)
        counts = dict.fromkeys(_COUNTS, 0)
        for chunk in _chunks(read_pairs(source, self.folder)):
            counts["rows"] += len(chunk)
            fair = [pair for pair in chunk if query_key(pair.query) not in judged]
            counts["judged"] += len(chunk) - len(fair)
            self._add(domain, fair, counts)
        return {
            "name": source_name(source),
            "path": source.path,
            "licence": source.licence,
            "bytes": path.stat().st_size if path is not None and path.is_file() else 0,
            **counts,
        }

    def _add(self, domain: int, pairs: list[Pair], counts: dict[str, int]) -> None:
        room = self.data.query_length + self.tokenizer.frame
        questions = self._numbers(
            [pair.query for pair in pairs], room, self.queries, self.query_tokens, self.query_texts
        )
        texts = [text for pair in pairs for text in (pair.positive, *pair.negatives)]
        numbers = iter(self._numbers(texts, self.max_length, self.documents, self.document_tokens, self.document_texts))
        for pair, query in zip(pairs, questions, strict=True):
            found = list(islice(numbers, 1 + len(pair.negatives)))
            if query is None or found[0] is None:
                counts["blank"] += 1
                continue
            negatives = [document for document in found[1:] if document is not None]
            row = self.pairs.setdefault((query, found[0]), len(self.domains))
            if row < len(self.domains):
                counts["repeated"] += 1
                # Triples are a pair a negative. Scores of two rows need not be on one scale: those stay as they are.
                if not pair.scores and not self.scores[row]:
                    self.negatives[row] += [number for number in negatives if number not in self.negatives[row]]
                continue
            counts["kept"] += 1
            self.domains.append(domain)
            self.negatives.append(negatives)
            usable = pair.scores and all(document is not None for document in found)
            self.scores.append(pair.scores if usable else ())

    def _numbers(
        self, texts: list[str], max_length: int, known: dict[bytes, int], tokens: list[Ragged], writer: TextsWriter
    ) -> list[int | None]:
        """The number of each text; new texts are tokenised and get the next. None for a text without a token."""
        keys = [text_key(text) for text in texts]
        fresh = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        rows = self.tokenizer.inputs(list(fresh.values()), max_length)
        frame = self.tokenizer.frame
        kept = []
        for (key, text), row in zip(fresh.items(), rows, strict=True):
            if row:
                known[key] = len(writer)
                writer.add(text[: _CHARACTERS * max_length])
                kept.append(row[self.lead : len(row) - (frame - self.lead)])
            else:
                known[key] = -1
        if kept:
            tokens.append(Ragged.of(kept, self.dtype))
        return [number if (number := known[key]) >= 0 else None for key in keys]

    def _hold_out(self, pairs: np.ndarray[Any, np.dtype[np.int32]]) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Whole queries, as many of each domain: every pair of such a query."""
        rng = np.random.default_rng([self.seed, 1])
        domains = np.unique(pairs[:, 2])
        chosen: list[int] = []
        for domain in domains:
            queries = np.unique(pairs[pairs[:, 2] == domain, 0])
            share = min(self.data.holdout // len(domains), len(queries) // 10)
            chosen += rng.permutation(queries)[:share].tolist()
        return np.isin(pairs[:, 0], np.array(chosen, np.int32))

    @staticmethod
    def _pseudo_pairs(origins: Any, first: int, pairs: Any) -> Any:
        """(query, document, domain); the domain is that of the document's first pair, 0 for a mere negative."""
        domain = np.zeros(int(max(pairs[:, 1].max(), origins.max() if len(origins) else 0)) + 1, np.int32)
        domain[pairs[::-1, 1]] = pairs[::-1, 2]
        queries = np.arange(first, first + len(origins), dtype=np.int32)
        return np.stack([queries, origins, domain[origins]], 1).astype(np.int32).reshape(-1, 3)


def _chunks(pairs: Iterable[Pair]) -> Iterator[list[Pair]]:
    iterator = iter(pairs)
    while chunk := list(islice(iterator, _CHUNK)):
        yield chunk
