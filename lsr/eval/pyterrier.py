"""Our index as a PyTerrier transformer: `retriever(index) % 10 >> reranker`, pt.Experiment, and so on.

PyTerrier is loaded only here; no Java is started by it or by us.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lsr.encoders.settings import Setting
from lsr.errors import InvalidSettingError, MissingExtraError
from lsr.eval.runs import falling
from lsr.eval.systems.engine import check_options

if TYPE_CHECKING:
    from lsr.engine.index import Index


def retriever(index: Index, *, k: int = 1000, threads: int = 1, text: bool = False, **options: Setting) -> Any:
    """A `pyterrier.Transformer` that answers queries from an open index.

    It takes a frame with `qid` and `query` and gives one with `qid`, `query`, `docno`, `score` and `rank` (from 0, as
    PyTerrier counts), in served order; scores fall strictly within a query, so that an evaluation that sorts by score
    keeps that order. Other columns of the queries are kept. A query of blanks finds nothing.

    Parameters
    ----------
    index : Index
        Must stay open.
    k : int
        Hits a query.
    threads : int
    text : bool
        Add the columns `title` and `text`, for rerankers.
    **options
        Options of the search by name; see `check_options`.

    Raises
    ------
    MissingExtraError
        PyTerrier is not installed.
    InvalidSettingError
        k below 1, or an option that the search does not have.
    """
    try:
        import pandas
        import pyterrier
    except ModuleNotFoundError:
        raise MissingExtraError("a PyTerrier transformer", "pyterrier") from None
    if k < 1:
        raise InvalidSettingError(f"k is {k}, it must be 1 or more")
    chosen = check_options(options)

    class Retriever(pyterrier.Transformer):
        """Made by `lsr.eval.pyterrier.retriever`."""

        def transform(self, inp: Any) -> Any:
            pyterrier.validate.query_frame(inp, extra_columns=["query"])
            asked = [row for row in inp.to_dict("records") if str(row["query"]).strip()]
            queries = [str(row["query"]) for row in asked]
            answers = index.search_batch(queries, k=k, threads=threads, options=chosen)
            rows = []
            for row, hits in zip(asked, answers, strict=True):
                scores = falling([score for _, score in hits])
                for rank, ((document, _), score) in enumerate(zip(hits, scores, strict=True)):
                    rows.append({**row, "docno": document, "score": float(score), "rank": rank})
            columns = [*inp.columns, "docno", "score", "rank"]
            found = pandas.DataFrame(rows, columns=list(dict.fromkeys(columns)))
            if text:
                documents = {id: index.document(id) for id in found["docno"].unique()}
                found["title"] = [documents[id].title for id in found["docno"]]
                found["text"] = [documents[id].text for id in found["docno"]]
            return found

        def __repr__(self) -> str:
            return f"lsr({index.path})"

    made: Any = Retriever
    return made()
