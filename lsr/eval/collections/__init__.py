"""Judged collections: documents, queries and relevance judgements behind one protocol, one source a file."""

from lsr.eval.collections.base import Collection, Qrels, judged, load_collection
from lsr.eval.collections.beir import BeirFolder
from lsr.eval.collections.files import FilesCollection
from lsr.eval.collections.irds import IrDatasetsCollection

__all__ = [
    "BeirFolder",
    "Collection",
    "FilesCollection",
    "IrDatasetsCollection",
    "Qrels",
    "judged",
    "load_collection",
]
