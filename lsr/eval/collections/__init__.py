"""Judged collections: documents, queries and relevance judgements behind one protocol, one source a file."""

from lsr.eval.collections.base import Collection, Qrels, load_collection
from lsr.eval.collections.beir import BeirFolder
from lsr.eval.collections.irds import IrDatasetsCollection

__all__ = ["BeirFolder", "Collection", "IrDatasetsCollection", "Qrels", "load_collection"]
