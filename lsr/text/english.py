"""The English analyzer: stop-words out, possessives off, the rest stemmed by Porter2 (Snowball's English stemmer).

The stop-words are those of Lucene's `EnglishAnalyzer`, plus contractions made of nothing but function words ("don't").
On BEIR's SciFact, BM25 (k1 .9, b .4) over its words gives nDCG@10 .680. Words of one letter are kept ("vitamin C").
"""

from __future__ import annotations

import zlib

import Stemmer

from lsr.text.analyzer import Analyzer
from lsr.text.plain import fold

_LUCENE = """
a an and are as at be but by for if in into is it no not of on or such that the their then there these they this to was
will with
"""
_CONTRACTIONS = """
i'm you're we're they're he's she's it's that's there's here's what's who's where's when's why's how's let's i've you've
we've they've i'd you'd he'd she'd we'd they'd i'll you'll he'll she'll we'll they'll it'll that'll isn't aren't wasn't
weren't hasn't haven't hadn't doesn't don't didn't won't wouldn't shan't shouldn't can't couldn't mustn't needn't
mightn't ain't
"""
#: Lucene's 33 stop-words.
STOP_WORDS = frozenset(_LUCENE.split())
#: Contractions of pronouns, auxiliaries and "not"; left out too.
CONTRACTIONS = frozenset(_CONTRACTIONS.split())

#: Words that releases of the Snowball stemmers are known, or likely, to stem differently. Their stems are part of the
#: version: an index whose words were stemmed otherwise is refused rather than searched with words it cannot hold.
_PROBES = """
evening evenings past paste added adding egging succeed proceed exceeded biologist biologists apologist interest
interesting international university universal universe community generally generously arsenal skies dying idly gently
ugly only singly howe andes inning outing canning herring communism communication emergency emerge organization organ
generic generated emerging lateral later ski skis news atlas cosmos bias yours yearly youth cried hopping hoping
fluently sky happily relational conditional rationally radically analogously formative electricity goodness adjustable
adoption rate controlling naïve café
"""


class EnglishAnalyzer(Analyzer):
    """English words: lower-cased, without stop-words and possessives, stemmed."""

    name = "english"

    def __init__(self) -> None:
        super().__init__()
        # No cache of its own: every raw word comes here once.
        self._stem = Stemmer.Stemmer("english", 0).stemWord
        stems = " ".join(self._stem(word) for word in _PROBES.split())
        self.version = f"1-{zlib.crc32(stems.encode()):08x}"

    def normalise(self, raw: str) -> str | None:
        word = fold(raw)
        if word in CONTRACTIONS:
            return None
        word = word.removesuffix("'s")
        if word in STOP_WORDS:
            return None
        stem: str = self._stem(word)
        return stem
