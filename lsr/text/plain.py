"""The plain analyzer: every word, lower-cased, for any language and for identifiers. Knows no stop-words, no stems."""

from __future__ import annotations

import unicodedata

from lsr.text.analyzer import Analyzer


def fold(raw: str) -> str:
    """Lower-cased and canonically composed (NFC), so that "É" is found by "e" + accent too; ’ becomes '."""
    folded = raw.lower()
    return folded if folded.isascii() else unicodedata.normalize("NFC", folded).replace("’", "'")


class PlainAnalyzer(Analyzer):
    """Unicode words, lower-cased, nothing else."""

    name = "plain"
    version = "1"

    def normalise(self, raw: str) -> str | None:
        return fold(raw)
