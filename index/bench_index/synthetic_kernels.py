"""Kernels of the synthetic collections: a random stream for each document, so that chunks of any size agree.

They fill plain arrays and know nothing of files. The generator is SplitMix64 (Steele, Lea, Flood, OOPSLA 2014), its
state mixed from the seed and the document's number. Sampling is by alias tables (Walker, 1977).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit, uint64

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
#: Draws that may repeat a term of the document before the rest comes from the background alone.
PATIENCE = 400


@njit(cache=True, nogil=True)
def mix(value: Any) -> Any:
    """The output function of SplitMix64."""
    z = uint64(value)
    z = (z ^ (z >> uint64(30))) * uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> uint64(27))) * uint64(0x94D049BB133111EB)
    return z ^ (z >> uint64(31))


@njit(cache=True, nogil=True)
def uniform(state: Any) -> Any:
    """The next state, and a float64 in [0, 1)."""
    state = uint64(state + GOLDEN)
    return state, (mix(state) >> uint64(11)) * (1.0 / 9007199254740992.0)


@njit(cache=True, nogil=True)
def normal(state: Any) -> Any:
    """The next state, and a standard normal by Box and Muller."""
    state, first = uniform(state)
    state, second = uniform(state)
    return state, math.sqrt(-2.0 * math.log(1.0 - first)) * math.cos(2.0 * math.pi * second)


@njit(cache=True, nogil=True)
def begin(seed: Any, stream: Any, number: Any) -> Any:
    """The state in which stream `stream` of item `number` begins."""
    return mix(uint64(mix(uint64(seed) * GOLDEN + uint64(stream)) + uint64(number) * GOLDEN))


@njit(cache=True, nogil=True)
def pick(state: Any, chances: Any, alias: Any) -> Any:
    """The next state, and an index drawn by an alias table."""
    state, u = uniform(state)
    scaled = u * len(chances)
    slot = int(scaled)
    if scaled - slot >= chances[slot]:
        slot = alias[slot]
    return state, slot


@njit(cache=True, nogil=True)
def fill_alias(weights: Any, chances: Any, alias: Any) -> None:
    """Walker's table of `weights`, which need not sum to 1."""
    n = len(weights)
    scale = n / weights.sum()
    small = np.empty(n, np.int64)
    large = np.empty(n, np.int64)
    n_small = n_large = 0
    for i in range(n):
        chances[i] = weights[i] * scale
        alias[i] = i
        if chances[i] < 1.0:
            small[n_small] = i
            n_small += 1
        else:
            large[n_large] = i
            n_large += 1
    while n_small and n_large:
        n_small -= 1
        low, high = small[n_small], large[n_large - 1]
        alias[low] = high
        chances[high] -= 1.0 - chances[low]
        if chances[high] < 1.0:
            n_large -= 1
            small[n_small] = high
            n_small += 1
    for i in range(n_large):
        chances[large[i]] = 1.0
    for i in range(n_small):
        chances[small[i]] = 1.0


@njit(cache=True, nogil=True)
def draw_lengths(seed: Any, first: Any, mean: Any, sigma: Any, least: Any, most: Any, out: Any) -> None:
    """Log-normal numbers of terms with the given mean, of documents `first`, `first + 1`, ..."""
    centre = math.log(mean) - 0.5 * sigma * sigma
    for i in range(len(out)):
        _, z = normal(begin(seed, 1, first + i))
        out[i] = min(max(int(math.exp(centre + sigma * z) + 0.5), least), most)


@njit(cache=True, nogil=True)
def draw_topics(seed: Any, level: Any, chances: Any, alias: Any, lists: Any) -> None:
    """For each topic (row) distinct terms, drawn from the background."""
    seen = np.full(len(chances), -1, np.int64)
    for topic in range(lists.shape[0]):
        state = begin(seed, 16 + level, topic)
        filled = 0
        while filled < lists.shape[1]:
            state, term = pick(state, chances, alias)
            if seen[term] != topic:
                seen[term] = topic
                lists[topic, filled] = term
                filled += 1


@njit(cache=True, nogil=True)
def draw_leaf(seed: Any, number: Any, chances: Any, alias: Any) -> Any:
    """The two leaf topics of a document (often one and the same), and the state after them."""
    state = begin(seed, 2, number)
    state, leaf = pick(state, chances, alias)
    state, u = uniform(state)
    other = leaf
    if u < 0.3:
        state, other = pick(state, chances, alias)
    return state, leaf, other


@njit(cache=True, nogil=True)
def draw_documents(
    seed: Any,
    first: Any,
    indptr: Any,
    background: Any,  # chances and alias of all terms
    background_alias: Any,
    strength: Any,  # float64 by term: its share of the logarithm of an impact
    leaf_chances: Any,  # popularity of the leaf topics; empty where there are no topics
    leaf_alias: Any,
    fanout: Any,  # leaves below each topic of a level, by level
    tops: Any,
    middles: Any,
    leaves: Any,  # terms of the topics of each level
    slots: Any,  # three alias tables: chances
    slots_alias: Any,
    shares: Any,  # cumulative shares of levels: top, middle, leaf; the rest is background
    centres: Any,  # means of the logarithm of an impact: background, top, middle, leaf
    spread: Any,
    terms: Any,
    impacts: Any,
) -> None:
    """Terms, ascending, and impacts of the documents from `first` on; `indptr` begins at 0."""
    seen = np.full(len(background), -1, np.int64)
    for i in range(len(indptr) - 1):
        low, high = indptr[i], indptr[i + 1]
        number = first + i
        leaf = other = 0
        if len(leaf_chances):
            state, leaf, other = draw_leaf(seed, number, leaf_chances, leaf_alias)
        else:
            state = begin(seed, 2, number)
        filled = low
        repeats = 0
        while filled < high:
            state, u = uniform(state)
            level = 0
            effect = 0.0
            if len(leaf_chances) == 0 or u >= shares[2] or repeats > PATIENCE:
                state, term = pick(state, background, background_alias)
            else:
                chosen = leaf
                if other != leaf:
                    state, v = uniform(state)
                    if v < 0.3:
                        chosen = other
                level = 1 if u < shares[0] else (2 if u < shares[1] else 3)
                state, slot = pick(state, slots[level - 1], slots_alias[level - 1])
                topic = chosen // fanout[level - 1]
                if level == 1:
                    term = int(tops[topic, slot])
                elif level == 2:
                    term = int(middles[topic, slot])
                else:
                    term = int(leaves[topic, slot])
                # how strong a term is within a topic belongs to the topic, not to the document
                _, effect = normal(begin(seed, 32 + level, topic * 65536 + term))
            if seen[term] == i:
                repeats += 1
                continue
            seen[term] = i
            state, z = normal(state)
            value = math.exp(centres[level] + strength[term] + 0.35 * effect + spread * z)
            terms[filled] = term
            impacts[filled] = min(max(int(value + 0.5), 1), 255)
            filled += 1
        order = np.argsort(terms[low:high])
        terms[low:high] = terms[low:high][order]
        impacts[low:high] = impacts[low:high][order]
