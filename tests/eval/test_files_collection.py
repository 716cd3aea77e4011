"""Collections of one's own: the three formats of each file, and what is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_collection import CORPUS, QRELS, QUERIES

from lsr.errors import EvaluationError
from lsr.eval import EvalRequest, load_collection
from lsr.eval.collections import FilesCollection, judged

TREC_DOCUMENTS = """<DOC>
<DOCNO> FT-1 </DOCNO>
<HEADLINE> Penguins &amp; ice </HEADLINE>
<TEXT>
They <b>swim</b> in
cold water.
</TEXT>
</DOC>
<DOC>
<DOCNO>FT-2</DOCNO>
Loose words, not in any text tag.
</DOC>
"""
TOPICS = """<top>
<num> Number: 301
<title> Cold water birds
<desc> Description:
Which birds swim?
</top>
<top><num>302</num><title>Bread</title></top>
"""


def _queries(folder: Path, kind: str) -> Path:
    path = folder / f"queries.{kind}"
    if kind == "jsonl":
        path.write_text("".join(json.dumps({"_id": q, "text": t}) + "\n" for q, t in QUERIES.items()))
    else:
        path.write_text("qid\tquery\n" + "".join(f"{q}\t{t}\n" for q, t in QUERIES.items()))
    return path


def _qrels(folder: Path, kind: str) -> Path:
    path = folder / f"qrels.{kind}"
    rows = [(q, d, g) for q, row in QRELS.items() for d, g in row.items()]
    if kind == "jsonl":
        lines = [json.dumps({"query_id": q, "doc_id": d, "relevance": g}) for q, d, g in rows]
    elif kind == "tsv":
        lines = ["query-id\tcorpus-id\tscore", *(f"{q}\t{d}\t{g}" for q, d, g in rows)]
    else:
        lines = [f"{q} 0 {d} {g}" for q, d, g in rows]
    path.write_text("\n".join(lines) + "\n")
    return path


def _documents(folder: Path, kind: str) -> Path:
    path = folder / f"documents.{kind}"
    if kind == "jsonl":
        path.write_text("".join(json.dumps({"_id": d, "text": t}) + "\n" for d, t in CORPUS.items()))
    elif kind == "tsv":
        path.write_text("_id\ttext\n" + "".join(f"{d}\t{t}\n" for d, t in CORPUS.items()))
    else:
        path.write_text("".join(f"<DOC>\n<DOCNO>{d}</DOCNO>\n<TEXT>{t}</TEXT>\n</DOC>\n" for d, t in CORPUS.items()))
    return path


@pytest.mark.parametrize("kind", ["jsonl", "tsv", "trec"])
def test_every_format_gives_the_same_figures(tmp_path: Path, kind: str) -> None:
    request = EvalRequest(
        encoder="bm25",
        documents=str(_documents(tmp_path, kind)),
        queries=str(_queries(tmp_path, "jsonl" if kind == "jsonl" else "tsv")),
        qrels=str(_qrels(tmp_path, kind)),
    )
    result = request.execute()
    assert result.measures["R@100"] == 1.0
    assert result.queries == len(QRELS)
    assert set(result.provenance["collection"]["digest"]) == {"qrels", "queries", "corpus.jsonl"}


def test_trec_documents_and_topics(tmp_path: Path) -> None:
    (tmp_path / "d.trec").write_text(TREC_DOCUMENTS)
    (tmp_path / "t.topics").write_text(TOPICS)
    (tmp_path / "q.txt").write_text("301 0 FT-1 2\n302 0 FT-2 0\n302 0 FT-9 -1\n")
    collection = FilesCollection(tmp_path / "q.txt", queries=tmp_path / "t.topics", documents=tmp_path / "d.trec")
    assert collection.queries == {"301": "Cold water birds", "302": "Bread"}
    assert collection.qrels == {"301": {"FT-1": 2}, "302": {"FT-2": 0, "FT-9": -1}}
    documents = {document.id: document for document in collection.documents()}
    assert (documents["FT-1"].title, documents["FT-1"].text) == ("Penguins & ice", "They swim in cold water.")
    assert documents["FT-2"].text == "Loose words, not in any text tag."


def test_newswire_of_before_utf_8(tmp_path: Path) -> None:
    (tmp_path / "d.sgml").write_bytes("<DOC>\n<DOCNO>1</DOCNO>\n<TEXT>café</TEXT>\n</DOC>\n".encode("latin-1"))
    (tmp_path / "q.tsv").write_text("1\t1\t1\n")
    (document,) = FilesCollection(tmp_path / "q.tsv", documents=tmp_path / "d.sgml").documents()
    assert document.text == "café"


def test_ids_are_equal_by_accident_here(tmp_path: Path) -> None:
    (tmp_path / "q.tsv").write_text("1\t1\t1\n")
    assert not FilesCollection(tmp_path / "q.tsv").drop_self_matches
    assert FilesCollection(tmp_path / "q.tsv", drop_self_matches=True).drop_self_matches


def test_judged_queries_without_a_text_are_told(tmp_path: Path) -> None:
    (tmp_path / "q.tsv").write_text("1\ta\t1\n2\tb\t1\n")
    (tmp_path / "queries.tsv").write_text("1\tbirds\n")
    collection = FilesCollection(tmp_path / "q.tsv", queries=tmp_path / "queries.tsv")
    assert collection.warnings == ("1 judged queries have no text in queries.tsv (first: '2'); they count as 0",)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("qrels", "a\tb\n", "line 1: 2 columns"),
        ("qrels", "q\td\t1\nq\td\tmuch\n", "line 2: the grade 'much' is not a whole number"),
        ("qrels", '{"query_id": "q", "doc_id": "d"}\n', "the grade None"),
        ("qrels", '{"doc_id": "d", "relevance": 1}\n', "none of query_id"),
        ("qrels", '{"broken\n', "not JSON"),
        ("qrels", "\n", "holds no judgement"),
        ("queries", "no tab here\n", "line 1: no id and text by a tab"),
        ("queries", '{"_id": "q"}\n', "has no text"),
        ("queries", "q\ta\nq\tb\n", "twice, and differs"),
        ("queries", "<top><num>7</num></top>", "topic 1: no <num> and <title>"),
        ("queries", "other\tbirds\n", "no query of"),
    ],
)
def test_mistakes_name_file_and_line(tmp_path: Path, name: str, text: str, message: str) -> None:
    files = {"qrels": tmp_path / "qrels", "queries": tmp_path / "queries"}
    files["qrels"].write_text("q\td\t1\n")
    files["queries"].write_text("q\tbirds\n")
    files[name].write_text(text)
    with pytest.raises(EvaluationError, match=message):
        FilesCollection(files["qrels"], queries=files["queries"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<DOC>\n<TEXT>x</TEXT>\n</DOC>\n", "line 1: the document has no <DOCNO>"),
        ("<DOC>\n<DOCNO>1</DOCNO>\n", "line 1: the document has no </DOC>"),
        ("\n<DOC>\n<DOC>\n", "line 2: the document has no </DOC>"),
        ("</DOC>\n", "line 1: </DOC> without <DOC>"),
        ("words\n", "holds no <DOC>"),
    ],
)
def test_tagged_text_that_is_broken_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "d.trec").write_text(text)
    (tmp_path / "q.tsv").write_text("q\td\t1\n")
    collection = FilesCollection(tmp_path / "q.tsv", documents=tmp_path / "d.trec")
    with pytest.raises(EvaluationError, match=message):
        list(collection.documents())


def test_options_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    assert judged(None) is None
    with pytest.raises(EvaluationError, match="a collection and --qrels are both given"):
        judged("x", qrels="y")
    with pytest.raises(EvaluationError, match="--queries is given without judgements"):
        judged(None, queries="y")
    with pytest.raises(EvaluationError, match="--split is for a collection"):
        judged(None, qrels="y", split="dev")
    with pytest.raises(EvaluationError, match="cannot read"):
        judged(None, qrels=tmp_path / "nothing")


def test_without_documents_nothing_is_indexed(tmp_path: Path) -> None:
    (tmp_path / "q.tsv").write_text("q\td\t1\n")
    (tmp_path / "queries.tsv").write_text("q\tbirds\n")
    with pytest.raises(EvaluationError, match="has no documents to index"):
        EvalRequest(encoder="bm25", qrels=str(tmp_path / "q.tsv"), queries=str(tmp_path / "queries.tsv")).execute()


def test_a_split_of_a_folder_still_works(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="there is no folder"):
        load_collection(tmp_path / "nothing", split="dev")
