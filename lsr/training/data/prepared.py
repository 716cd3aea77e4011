"""`PreparedData`: what training reads, as arrays on disk. Made by `lsr.training.data.prepare`.

Knows the folder's files and what they mean. Knows nothing of sources.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsr.errors import TrainingDataError
from lsr.training.data.ragged import Ragged, Texts

MANIFEST = "manifest.json"
#: The student's tokens, and how its tokenizer splits: teachers that split alike take tokens instead of texts.
VOCABULARY = "vocabulary.json"
FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class DataManifest:
    """What was read and what was left out; goes into the model card.

    `sources` has for each its name, path, licence, bytes and counts: rows, pairs kept, and rows dropped because the
    query is judged, the pair is there already (negatives of such a row are kept), or a side has no token. `judged`
    names the collections whose queries were left out, None where an earlier version did not write them down.
    """

    key: str
    vocabulary: int
    special_ids: tuple[int, ...]
    prefix: tuple[int, ...]
    suffix: tuple[int, ...]
    pad_id: int
    max_length: int
    query_length: int
    queries: int
    pseudo_queries: int
    documents: int
    pairs: int
    held_out: int
    sources: tuple[dict[str, Any], ...]
    judged: tuple[str, ...] | None = None
    format_version: int = FORMAT_VERSION

    def write(self, folder: Path) -> None:
        """Write it into the folder: last, as it makes the folder complete."""
        (folder / MANIFEST).write_text(json.dumps(asdict(self), indent=1))

    @classmethod
    def read(cls, folder: Path) -> DataManifest:
        """Of a complete folder."""
        record = json.loads((folder / MANIFEST).read_text())
        if record.get("format_version") != FORMAT_VERSION:
            raise TrainingDataError(f"{folder} was prepared by another version", remedy=f"Remove {folder}")
        listed = {key: tuple(record[key]) for key in ("special_ids", "prefix", "suffix", "sources")}
        judged = record.get("judged")
        return cls(**{**record, **listed, "judged": None if judged is None else tuple(judged)})


class PreparedData:
    """Documents, queries and pairs by number.

    Attributes
    ----------
    documents, queries : Ragged
        Token ids without special tokens, cut to what is read. Pseudo-queries follow the given queries.
    pairs : int32 ndarray of shape (n, 3)
        Query, positive document, domain (number of the source).
    pseudo : int32 ndarray of shape (m, 3)
        The same for pseudo-queries.
    held_out : bool ndarray of shape (n,)
        Pairs that are not trained on.
    negatives, scores : Ragged
        For each pair, documents of its row and (positive first) their scores; empty where the row has none.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = DataManifest.read(folder)
        self.documents = Ragged.load(folder, "documents")
        self.queries = Ragged.load(folder, "queries")
        self.pairs: NDArray[np.int32] = np.load(folder / "pairs.npy")
        self.pseudo: NDArray[np.int32] = np.load(folder / "pseudo.npy")
        self.held_out: NDArray[np.bool_] = np.load(folder / "held_out.npy")
        self.negatives = Ragged.load(folder, "negatives")
        self.scores = Ragged.load(folder, "scores")

    def texts(self, kind: str) -> Texts:
        """`documents` or `queries` as they were written.

        Raises
        ------
        TrainingDataError
            The folder came without its texts.
        """
        if not (self.folder / f"{kind}.text.txt").is_file():
            raise TrainingDataError(
                f"{self.folder} has no texts of its {kind}",
                remedy="Prepare the data again: a teacher of another vocabulary needs them",
            )
        return Texts(self.folder, f"{kind}.text")

    def document_frequencies(self) -> NDArray[np.int64]:
        """int64 ndarray of shape (V,): documents that hold each token."""
        found: NDArray[np.int64] = np.load(self.folder / "document_frequencies.npy")
        return found


def count_documents(documents: Ragged, vocabulary: int) -> NDArray[np.int64]:
    """int64 ndarray of shape (vocabulary,): rows that hold each token."""
    counts = np.zeros(vocabulary, np.int64)
    step = 20_000
    for start in range(0, len(documents), step):
        stop = min(start + step, len(documents))
        offsets = documents.offsets[start : stop + 1]
        rows = np.repeat(np.arange(stop - start, dtype=np.int64), np.diff(offsets))
        tokens = np.asarray(documents.values[offsets[0] : offsets[-1]], np.int64)
        unique = np.unique(rows * vocabulary + tokens)
        counts += np.bincount(unique % vocabulary, minlength=vocabulary)
    return counts


def splitting(tokenizer_file: Path) -> Any:
    """What decides how a `tokenizer.json` splits texts, but its vocabulary: a JSON value."""
    record = json.loads(tokenizer_file.read_text())
    model = {key: value for key, value in record["model"].items() if key not in ("vocab", "unk_token")}
    return [record["normalizer"], record["pre_tokenizer"], model]
