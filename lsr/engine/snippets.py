"""The passage of a document that shows why it was found: a window of text around the matched terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lsr.encoders.base import Span
from lsr.engine.results import Snippet

#: Characters of a snippet, about.
WIDTH = 240
#: Terms lighter than this share of the query's heaviest are not marked: stop words would cover the page.
_LEAST = 0.1


def best_snippet(text: str, spans: Sequence[Span], weights: Mapping[int, float], width: int = WIDTH) -> Snippet:
    """The window of about `width` characters whose distinct matched terms weigh most, the earliest of equals.

    Parameters
    ----------
    text : str
    spans : sequence of Span
        Where terms stand in `text`, in order.
    weights : mapping
        Query term to its weight.
    """
    least = _LEAST * max(weights.values(), default=0.0)
    marked = [span for span in spans if weights.get(span.term, 0.0) >= least and span.term in weights]
    start, stop = _window(text, marked, weights, width)
    lead, tail = ("… " if start > 0 else ""), (" …" if stop < len(text) else "")
    shown = lead + text[start:stop] + tail
    matches: list[tuple[int, int]] = []
    for span in marked:
        if span.start < start or span.end > stop:
            continue
        low, high = span.start - start + len(lead), span.end - start + len(lead)
        if matches and matches[-1][1] == low:  # pieces of one word
            matches[-1] = (matches[-1][0], high)
        else:
            matches.append((low, high))
    return Snippet(shown, tuple(matches))


def _window(text: str, marked: Sequence[Span], weights: Mapping[int, float], width: int) -> tuple[int, int]:
    """Character range of the best window, moved to word borders."""
    if len(text) <= width or not marked:
        return 0, len(text) if len(text) <= width else _word_border(text, width)
    best_weight, best = -1.0, (0, 0)
    stop = 0
    inside: dict[int, int] = {}
    weight = 0.0
    for place, first in enumerate(marked):
        while stop < len(marked) and marked[stop].end <= first.start + width:
            term = marked[stop].term
            if not inside.get(term):
                weight += weights[term]
            inside[term] = inside.get(term, 0) + 1
            stop += 1
        if weight > best_weight + 1e-9:
            best_weight, best = weight, (first.start, marked[max(stop - 1, place)].end)
        if stop > place:
            inside[first.term] -= 1
            if not inside[first.term]:
                weight -= weights[first.term]
    slack = max(0, width - (best[1] - best[0]))
    start = max(0, best[0] - slack // 2)
    end = min(len(text), max(best[1], start + width))
    if start > 0:
        space = text.find(" ", start, best[0])
        start = space + 1 if space >= 0 else best[0]
    if end < len(text):
        space = text.rfind(" ", best[1], end)
        end = space if space >= 0 else best[1]
    return start, end


def _word_border(text: str, width: int) -> int:
    space = text.rfind(" ", width // 2, width)
    return space if space >= 0 else width
