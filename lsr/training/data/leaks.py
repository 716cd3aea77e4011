"""The check that no judged query is among the training queries.

Knows how two spellings of one query are told to be the same. Knows nothing of training.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from lsr.errors import RecipeError
from lsr.text.unicode_words import find_words


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
        A folder holds no collection.
    """
    keys: set[str] = set()
    names = list(splits)
    for folder in folders:
        below = sorted(folder.iterdir()) if folder.is_dir() else []
        collections = [path for path in (folder, *below) if (path / "queries.jsonl").is_file()]
        if not collections:
            raise RecipeError(
                f"{folder} holds no judged collection", remedy="Name a folder with queries.jsonl, or take it out"
            )
        for collection in collections:
            protected = _protected(collection, names)
            with (collection / "queries.jsonl").open(encoding="utf-8") as lines:
                for line in lines:
                    if line.strip():
                        row = json.loads(line)
                        if protected is None or str(row["_id"]) in protected:
                            keys.add(query_key(row["text"]))
    return keys


def _protected(collection: Path, splits: list[str]) -> set[str] | None:
    files = [path for split in splits if (path := collection / "qrels" / f"{split}.tsv").is_file()]
    if not files:
        return None
    return {line.split("\t")[0] for path in files for line in path.read_text(encoding="utf-8").splitlines()[1:]}
