"""A plain `*ForMaskedLM` (naver's SPLADE), with `idf.json` an inference-free model of OpenSearch, or two of them."""

from __future__ import annotations

from pathlib import Path

from lsr.encoders.checkpoint import CONFIG, Checkpoint, read_json
from lsr.encoders.families import Side
from lsr.encoders.layouts.base import Layout, LookUp, Option

#: Names of the folder of a query encoder beside the document's, and the other way round.
_QUERY, _DOCUMENT = ("query", "query_encoder"), ("document", "doc", "doc_encoder")

#: sentence-transformers' names of the activations, which are applied before a log1p.
ST_ACTIVATIONS = {"relu": "log1p_relu", "log1p_relu": "log1p_log1p_relu"}


def read(checkpoint: Checkpoint) -> Layout | None:
    """None where it is no masked language model."""
    folder = checkpoint.folder
    documents = _first(folder, _DOCUMENT)
    queries = _first(folder, _QUERY)
    if documents is not None and queries is not None:  # Efficient SPLADE: two encoders in one folder
        pair = [Checkpoint(path, str(path)) for path in (documents, queries)]
        for part in pair:
            part.check()
        return Layout("two masked language models", checkpoint, Side("masked-lm", pair[0]), Side("masked-lm", pair[1]))
    if not (folder / CONFIG).is_file():
        return None
    if checkpoint.architectures and not any("MaskedLM" in name for name in checkpoint.architectures):
        return None
    checkpoint.check()
    side = Side("masked-lm", checkpoint, pooling_options(folder / "1_SpladePooling"))
    if checkpoint.idf_file is not None:
        return Layout(
            "OpenSearch (masked language model with idf.json)",
            checkpoint,
            side,
            LookUp(checkpoint, checkpoint.idf_file),
        )
    if queries is not None:  # naver's trainer saves the query encoder below the document's
        other = Checkpoint(queries, str(queries))
        other.check()
        return Layout("naver (query encoder in query/)", checkpoint, side, Side("masked-lm", other))
    return Layout("masked language model (naver)", checkpoint, side)


def _first(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name / CONFIG).is_file()), None)


def pooling_options(folder: Path) -> dict[str, Option]:
    """What a folder of sentence-transformers' SpladePooling says, in our words."""
    path = folder / CONFIG
    if not path.is_file():
        return {}
    record = read_json(path)
    activation = str(record.get("activation_function", "relu"))
    return {
        "pooling": str(record.get("pooling_strategy", "max")),
        "activation": ST_ACTIVATIONS.get(activation, activation),
    }
