"""The sets of BEIR, what is special about each, and the averages that publications take over them.

Knows names and conventions. Knows nothing of files and downloads.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KnownSet:
    """One set of BEIR.

    documents, queries : of the split that is published (test; dev for MS MARCO)
    public : False where the licence of the documents forbids their distribution
    queries_are_documents : a query finds itself under its own id, which the published figures leave out
    parts : the sub-forums that are averaged, and count as one set
    split : the published judgements
    identifier : what ir_datasets calls it; empty where it has none
    note : what goes wrong easily
    """

    name: str
    documents: int
    queries: int
    domain: str
    public: bool = True
    queries_are_documents: bool = False
    parts: tuple[str, ...] = ()
    split: str = "test"
    identifier: str = ""
    note: str = ""


#: The twelve forums of CQADupStack.
_FORUMS = (
    *("android", "english", "gaming", "gis", "mathematica", "physics"),
    *("programmers", "stats", "tex", "unix", "webmasters", "wordpress"),
)

#: BEIR, in the order of its paper. Sizes are those of the paper and of the archives of today.
BEIR: dict[str, KnownSet] = {
    one.name: one
    for one in (
        KnownSet("msmarco", 8_841_823, 6_980, "web passages", split="dev", identifier="beir/msmarco/dev"),
        KnownSet("trec-covid", 171_332, 50, "COVID-19 papers", identifier="beir/trec-covid"),
        KnownSet("nfcorpus", 3_633, 323, "medicine", identifier="beir/nfcorpus/test"),
        KnownSet("bioasq", 14_914_602, 500, "biomedicine", public=False),
        KnownSet("nq", 2_681_468, 3_452, "Wikipedia", identifier="beir/nq"),
        KnownSet("hotpotqa", 5_233_329, 7_405, "Wikipedia", identifier="beir/hotpotqa/test"),
        KnownSet("fiqa", 57_638, 648, "finance", identifier="beir/fiqa/test"),
        KnownSet("signal1m", 2_866_316, 97, "tweets", public=False),
        KnownSet("trec-news", 594_977, 57, "news", public=False),
        KnownSet("robust04", 528_155, 249, "news", public=False),
        KnownSet(
            "arguana",
            8_674,
            1_406,
            "arguments",
            queries_are_documents=True,
            identifier="beir/arguana",
            note="each query is a document: with self matches nDCG@10 of BM25 falls from .41 to .32",
        ),
        KnownSet(
            "webis-touche2020",
            382_545,
            49,
            "arguments",
            identifier="beir/webis-touche2020/v2",
            note="v2, which everybody publishes with; v1 has other judgements (nDCG@10 of BM25 .60 instead of .35–.44)",
        ),
        KnownSet(
            "cqadupstack",
            457_199,
            13_145,
            "questions of forums",
            parts=_FORUMS,
            identifier="beir/cqadupstack",
            note="the plain mean of twelve forums' means, counted once",
        ),
        KnownSet(
            "quora",
            522_931,
            10_000,
            "duplicate questions",
            queries_are_documents=True,
            identifier="beir/quora/test",
        ),
        KnownSet("dbpedia-entity", 4_635_922, 400, "entities", identifier="beir/dbpedia-entity/test"),
        KnownSet("scidocs", 25_657, 1_000, "citations", identifier="beir/scidocs"),
        KnownSet("fever", 5_416_568, 6_666, "claims", identifier="beir/fever/test"),
        KnownSet("climate-fever", 5_416_593, 1_535, "claims", identifier="beir/climate-fever"),
        KnownSet("scifact", 5_183, 300, "claims", identifier="beir/scifact/test"),
    )
}

_ALL = list(BEIR)
_OPEN = [name for name in _ALL if BEIR[name].public and name not in ("msmarco", "cqadupstack")]

#: Averages that publications take, by the name under which tables show them.
AVERAGES: dict[str, tuple[str, ...]] = {
    "BEIR-13 (open sets without MS MARCO and CQADupStack)": tuple(_OPEN),
    "BEIR-14 (the 13 and CQADupStack)": (*_OPEN, "cqadupstack"),
    "BEIR-15 (all open sets)": (*_OPEN, "cqadupstack", "msmarco"),
    "BEIR-18 (all but MS MARCO)": tuple(name for name in _ALL if name != "msmarco"),
}


def short_name(name: str) -> str:
    """How tables call a collection: `scifact` for beir/scifact/test, `cqadupstack/android` for that forum.

    Collections that are not BEIR's keep their name, without a path.
    """
    match = re.fullmatch(r"(?:ir_datasets:)?beir/([^/]+)(?:/(.+))?", name)
    if match is None:
        return name.rstrip("/").rsplit("/", 1)[-1] if name.startswith(("/", ".")) else name
    found, rest = match[1], match[2]
    if found == "cqadupstack" and rest:
        return f"cqadupstack/{rest}"
    if found == "webis-touche2020" and rest != "v2":  # another set under the good name
        return f"{found}/v1"
    if found in BEIR and rest in (None, BEIR[found].split, "v2"):
        return found
    return f"{found}/{rest}" if rest else found
