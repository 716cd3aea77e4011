"""The check that no judged query is among the training queries.

Knows how two spellings of one query are told to be the same. Knows nothing of training.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from lsr.errors import RecipeError
from lsr.text.unicode_words import find_words

QUERIES = "queries.jsonl"


def query_key(text: str) -> str:
    """Two queries of equal keys are one: letters and digits in lower case, joined by blanks."""
    return " ".join(find_words(text.casefold()))


def text_key(text: str) -> bytes:
    """10 bytes; equal for texts of the same words, whatever their case and punctuation."""
    spelling = query_key(text) or text
    return hashlib.blake2b(spelling.encode("utf-8", "replace"), digest_size=10).digest()


def judged_queries(folders: Iterable[Path], splits: Iterable[str]) -> set[str]:
    """Keys of the queries that the named splits of judged collections hold.

    Parameters
    ----------
    folders : paths
        Each a collection in BEIR's layout, or a folder of such.
    splits : str
        Names of files in `qrels/`; a collection without such a file protects all of its queries.

    Raises
    ------
    RecipeError
        A folder holds no collection, or a line of its queries is none.
    """
    keys: set[str] = set()
    names = list(splits)
    for collection in judged_collections(folders):
        protected = _protected(collection, names)
        keys |= {query_key(text) for query, text in _queries(collection) if protected is None or query in protected}
    return keys


def judged_collections(folders: Iterable[Path], *, away: bool = False) -> list[Path]:
    """The collections that these folders are or hold; with `away`, a folder may hold none.

    Raises
    ------
    RecipeError
        A folder holds no collection.
    """
    found: list[Path] = []
    for folder in folders:
        below = sorted(folder.iterdir()) if folder.is_dir() else []
        collections = [path for path in (folder, *below) if (path / QUERIES).is_file()]
        if not collections and not away:
            raise RecipeError(
                f"{folder} holds no judged collection", remedy=f"Name a folder with {QUERIES}, or take it out"
            )
        found += collections
    return found


def _queries(collection: Path) -> Iterator[tuple[str, str]]:
    path = collection / QUERIES
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                query, text = row["_id"], row["text"]
            except (ValueError, KeyError, TypeError) as error:
                raise RecipeError(f"{path}, line {number}: no query with _id and text: {error!r}") from None
            if not isinstance(text, str):
                raise RecipeError(f"{path}, line {number}: the text of a query is {text!r}")
            yield str(query), text


def _protected(collection: Path, splits: list[str]) -> set[str] | None:
    files = [path for split in splits if (path := collection / "qrels" / f"{split}.tsv").is_file()]
    if not files:
        return None
    lines = (line for path in files for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip())
    # Three columns by tabs under a head, or TREC's four without one: an id "query-id" too many does no harm.
    return {line.split("\t")[0] if "\t" in line else line.split()[0] for line in lines}
