"""Text to words. `get_analyzer("english").words(text)`; one analyzer a file, `ANALYZERS` names them all.

Knows nothing of vectors, term ids or encoders.
"""

from __future__ import annotations

from lsr.text.analyzer import Analyzer, Token
from lsr.text.registry import ANALYZERS, get_analyzer

__all__ = ["ANALYZERS", "Analyzer", "Token", "get_analyzer"]
