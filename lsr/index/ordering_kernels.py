"""The loops of document ordering, under the same rules as kernels.py. Only ordering.py imports it.

All arithmetic is in integers: gains are logarithms in fixed point, so that sums do not depend on their order, results
are the same for any number of threads, and the loop over postings can use the processor's wide registers.

Knows one node of the recursion, or one whole subtree on one thread. Knows nothing of threads, settings or files.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, types

_u1 = types.Array(types.uint8, 1, "C", readonly=True)
_u4 = types.Array(types.uint32, 1, "C", readonly=True)
_i4 = types.Array(types.int32, 1, "C", readonly=True)
_i8 = types.Array(types.int64, 1, "C", readonly=True)
_f4 = types.Array(types.float32, 1, "C", readonly=True)
_u4_out = types.Array(types.uint32, 1, "C")
_i4_out = types.Array(types.int32, 1, "C")
_i8_out = types.Array(types.int64, 1, "C")

#: Nodes split at multiples of this while they are larger, then at powers of two: blocks of any power of two up to this
#: many documents are whole nodes.
ALIGN = 256

#: Buckets of the counting that finds the border between the halves.
BUCKETS = 2048

_STAY_LEFT = -(2**31)
_STAY_RIGHT = 2**31 - 1


@njit(types.int64(types.int64), cache=True, nogil=True)
def split_point(count: int) -> int:
    """How many of a node's `count` >= 2 documents go left: about half, so that blocks stay whole."""
    if count > ALIGN:
        return max(1, (count + ALIGN) // (2 * ALIGN)) * ALIGN
    left = 1
    while 2 * left < count:
        left *= 2
    return left


@njit(types.float64(types.float64), cache=True, nogil=True)
def marginal(degree: float) -> float:
    """What the posting number `degree` >= 1 of a term saves: d log2(d + 1) − (d − 1) log2(d), in bits."""
    return degree * math.log2(degree + 1.0) - (degree - 1.0) * math.log2(degree)


@njit(types.void(_i4_out, types.float64), cache=True, nogil=True)
def fill_marginals(table: np.ndarray, unit: float) -> None:
    """`table[d]` = marginal(d) in fixed point of `unit` steps a bit; `table[0]` = 0, which no document looks up."""
    table[0] = 0
    for degree in range(1, len(table)):
        table[degree] = np.int32(np.rint(marginal(degree) * unit))


@njit(types.int64(types.int64, types.int64, types.float64), cache=True, nogil=True)
def size_gain(n_left: int, n_right: int, unit: float) -> int:
    """log2(n_left / n_right) in fixed point: what a posting gains by going right for the size of the halves alone."""
    return int(np.rint((math.log2(n_left) - math.log2(n_right)) * unit))


@njit(types.void(_i8, _u4, _i8, _i4_out), cache=True, nogil=True)
def count_degrees(indptr: np.ndarray, terms: np.ndarray, rows: np.ndarray, degrees: np.ndarray) -> None:
    """Add to `degrees[t]` the documents of `rows` that hold term t."""
    for row in rows:
        for p in range(indptr[row], indptr[row + 1]):
            degrees[terms[p]] += np.int32(1)


@njit(types.void(_i8, _u4, _i8, _i4, types.int64, _i4_out), cache=True, nogil=True)
def count_moved(
    indptr: np.ndarray, terms: np.ndarray, order: np.ndarray, places: np.ndarray, step: int, degrees: np.ndarray
) -> None:
    """Add `step` to `degrees[t]` for each document at `order[places]` that holds term t."""
    for place in places:
        row = order[place]
        for p in range(indptr[row], indptr[row + 1]):
            degrees[terms[p]] += np.int32(step)


@njit(
    types.void(_i4, _i4, types.int64, types.int64, types.float64, _i4_out, _i4_out),
    cache=True,
    nogil=True,
)
def wide_tables(
    left: np.ndarray,
    total: np.ndarray,
    n_left: int,
    n_right: int,
    unit: float,
    rightward: np.ndarray,
    leftward: np.ndarray,
) -> None:
    """What a document gains by moving, term by term: `rightward[t]` from the left half, `leftward[t]` from the right.

    The cost of a half is Σ d log2(n / (d + 1)) over its terms (Dhulipala et al. 2016, §4.2), a model of the bits of its
    gaps. Terms of one document and terms of all of them cost the same wherever documents go; they gain nothing.
    """
    sizes = size_gain(n_left, n_right, unit)
    for t in range(len(total)):
        rightward[t] = 0
        leftward[t] = 0
        if total[t] < 2 or total[t] == n_left + n_right:
            continue
        here = left[t]
        there = total[t] - here
        if here > 0:
            rightward[t] = np.int32(sizes + np.rint((marginal(there + 1) - marginal(here)) * unit))
        if there > 0:
            leftward[t] = np.int32(np.rint((marginal(here + 1) - marginal(there)) * unit) - sizes)


@njit(types.void(_i8, _u4, _i8, _i4, types.int64, types.int64, _i4_out), cache=True, nogil=True)
def sum_gains(
    indptr: np.ndarray,
    terms: np.ndarray,
    rows: np.ndarray,
    table: np.ndarray,
    sign: int,
    offset: int,
    values: np.ndarray,
) -> None:
    """`values[i]` = sign × Σ table over the terms of `rows[i]` − offset."""
    for i in range(len(rows)):
        row = rows[i]
        gain = np.int32(0)
        for p in range(indptr[row], indptr[row + 1]):
            gain += table[terms[p]]
        values[i] = np.int32(sign * gain - offset)


@njit(types.boolean(types.int64, types.int64), cache=True, nogil=True)
def sits_out(row: int, salt: int) -> bool:
    """True for about one row in eight, others for another `salt` (0 to 2³² − 1).

    Where both halves look alike, all documents gain by changing sides and would do so for ever; those that stay break
    the symmetry.
    """
    mixed = (row + salt) & 0xFFFFFFFF
    mixed = ((mixed ^ (mixed >> 16)) * 0x45D9F3B) & 0xFFFFFFFF
    mixed = ((mixed ^ (mixed >> 16)) * 0x45D9F3B) & 0xFFFFFFFF
    mixed = ((mixed ^ (mixed >> 16)) * 0x45D9F3B) & 0xFFFFFFFF
    return (mixed ^ (mixed >> 16)) & 7 == 0


@njit(types.int64(types.int64, types.int64), cache=True, nogil=True)
def round_salt(salt: int, iteration: int) -> int:
    """Another salt for each round, far from the last, so that not the same rows sit out together."""
    return (salt + (iteration + 1) * 0x9E3779B1) & 0xFFFFFFFF


@njit(types.int64(_i4_out, _i8, types.int64, types.int64, _i8_out, _i4_out, _i4_out), cache=True, nogil=True)
def choose_moves(
    values: np.ndarray,
    order: np.ndarray,
    n_left: int,
    salt: int,
    counts: np.ndarray,
    from_left: np.ndarray,
    from_right: np.ndarray,
) -> int:
    """Which documents of the node `order` change sides: as many of each half, their places into `from_left/right`.

    `values` draw a document to the right: the gain of moving there less the cooling for the left half, the gain of
    moving left with its sign changed for the right half. Swapping the best of both sides while a pair's gains exceed
    the cooling is the same as giving the `n_left` least values to the left; so nothing is sorted, the border is found
    by counting. Of equal values those in place stay, then the lower place goes left. `counts` is scratch.

    Returns the number of pairs, −1 if none would gain even were nobody to sit out: the node has settled.
    """
    n = len(values)
    highest = highest_of_all = np.int64(_STAY_LEFT)
    lowest = lowest_of_all = np.int64(_STAY_RIGHT)
    for i in range(n_left):
        highest_of_all = max(highest_of_all, np.int64(values[i]))
        if sits_out(order[i], salt):
            values[i] = _STAY_LEFT
        else:
            highest = max(highest, np.int64(values[i]))
    for i in range(n_left, n):
        lowest_of_all = min(lowest_of_all, np.int64(values[i]))
        if sits_out(order[i], salt):
            values[i] = _STAY_RIGHT
        else:
            lowest = min(lowest, np.int64(values[i]))
    if highest_of_all <= lowest_of_all:
        return -1
    if highest <= lowest:
        return 0
    # All that may move lie within lowest..highest; `rank` of these belong to the left.
    rank = np.int64(0)
    for i in range(n_left):
        rank += values[i] >= lowest
    border = lowest
    width = highest - lowest + 1
    buckets = 16
    while buckets < n and buckets < len(counts):
        buckets *= 2
    while width > 1:
        shift = 0
        while (width - 1) >> shift >= buckets:
            shift += 1
        counts[:buckets] = 0
        for i in range(n):
            above = np.int64(values[i]) - border
            if 0 <= above < width:
                counts[above >> shift] += 1
        bucket = 0
        while counts[bucket] < rank:
            rank -= counts[bucket]
            bucket += 1
        border += bucket << shift
        width = np.int64(1) << shift
    # Now all below `border` go left, all above it right, and `rank` of those at it left.
    pairs = 0
    for i in range(n_left):
        if values[i] > border:
            from_left[pairs] = i
            pairs += 1
        elif values[i] == border:
            if rank > 0:
                rank -= 1
            else:
                from_left[pairs] = i
                pairs += 1
    back = 0
    for i in range(n_left, n):
        if values[i] < border:
            from_right[back] = i
            back += 1
        elif values[i] == border and rank > 0:
            rank -= 1
            from_right[back] = i
            back += 1
    return pairs


@njit(types.void(_i8_out, _i4, _i4, types.int64), cache=True, nogil=True)
def swap(order: np.ndarray, from_left: np.ndarray, from_right: np.ndarray, pairs: int) -> None:
    """Exchange the documents at the first `pairs` places of both lists."""
    for i in range(pairs):
        a, b = from_left[i], from_right[i]
        order[a], order[b] = order[b], order[a]


@njit(
    types.int64(_i8, _u4, _i8, _i4_out, types.int64, _i8_out, _u4_out, _i4_out),
    cache=True,
    nogil=True,
)
def gather(
    indptr: np.ndarray,
    terms: np.ndarray,
    rows: np.ndarray,
    numbers: np.ndarray,
    start: int,
    local_indptr: np.ndarray,
    local_terms: np.ndarray,
    total: np.ndarray,
) -> int:
    """Copy `rows` to `local_terms` from `start` on, with terms renumbered from 0 as they come; `total` counts each.

    Terms of one document and terms of all are left out: they gain nothing whatever moves. `numbers` is scratch for the
    terms, all 0 before and after.

    Returns the number of terms.
    """
    n = len(rows)
    for row in rows:
        for p in range(indptr[row], indptr[row + 1]):
            numbers[terms[p]] += np.int32(1)
    count = 0
    place = start
    local_indptr[0] = place
    for i in range(n):
        row = rows[i]
        for p in range(indptr[row], indptr[row + 1]):
            number = numbers[terms[p]]  # documents that hold it, or −1 − its number once it has one
            if number > 0:
                if number == 1 or number == n:
                    continue
                total[count] = number
                number = np.int32(-1 - count)
                numbers[terms[p]] = number
                count += 1
            local_terms[place] = np.uint32(-1 - number)
            place += 1
        local_indptr[i + 1] = place
    for row in rows:
        for p in range(indptr[row], indptr[row + 1]):
            numbers[terms[p]] = 0
    return count


@njit(
    types.int64(
        _i8, _u4, _i8_out, _i8_out, types.int64, types.int64, _i4, _i4, types.int64, types.int64, types.int64,
        types.int64, _i4_out, _i4_out, _i4_out, _i4_out, _i8_out, _i4_out, _i4_out,
    ),
    cache=True,
    nogil=True,
)  # fmt: skip
def bisect(
    indptr: np.ndarray,
    terms: np.ndarray,
    rows: np.ndarray,
    order: np.ndarray,
    n_left: int,
    n_terms: int,
    total: np.ndarray,
    marginals: np.ndarray,
    sizes: int,
    cooling: int,
    iterations: int,
    salt: int,
    left: np.ndarray,
    rightward: np.ndarray,
    leftward: np.ndarray,
    values: np.ndarray,
    counts: np.ndarray,
    from_left: np.ndarray,
    from_right: np.ndarray,
) -> int:
    """Split one small node: swap documents between its halves while that gains. Returns the iterations done.

    `rows` are the rows of `indptr` that the documents `order` have; both are permuted alike. The arrays from `left` on
    are scratch. Iteration i asks for a gain of more than i × `cooling` a pair (Mackenzie et al. 2022).
    """
    left[:n_terms] = 0
    count_degrees(indptr, terms, rows[:n_left], left)
    for iteration in range(iterations):
        for t in range(n_terms):
            here = left[t]
            there = total[t] - here
            rightward[t] = np.int32(marginals[there + 1] - marginals[here] + sizes)
            leftward[t] = np.int32(marginals[here + 1] - marginals[there] - sizes)
        sum_gains(indptr, terms, rows[:n_left], rightward, 1, iteration * cooling, values[:n_left])
        sum_gains(indptr, terms, rows[n_left:], leftward, -1, 0, values[n_left:])
        pairs = choose_moves(values, order, n_left, round_salt(salt, iteration), counts, from_left, from_right)
        if pairs < 0:
            return iteration + 1
        swap(order, from_left, from_right, pairs)
        swap(rows, from_left, from_right, pairs)
        count_moved(indptr, terms, rows, from_left[:pairs], 1, left)
        count_moved(indptr, terms, rows, from_right[:pairs], -1, left)
    return iterations


@njit(
    types.void(
        _i8, _u4, _i8_out, _i4_out, _i4, types.float64, types.int64, types.int64, types.int64, types.int64,
        types.int64,
    ),
    cache=True,
    nogil=True,
)  # fmt: skip
def order_subtree(
    indptr: np.ndarray,
    terms: np.ndarray,
    order: np.ndarray,
    numbers: np.ndarray,
    marginals: np.ndarray,
    unit: float,
    cooling: int,
    iterations: int,
    leaf: int,
    salt: int,
    nnz: int,
) -> None:
    """Permute the rows `order` by bisection down to nodes of at most `leaf` documents, level by level.

    Each node works on its own copy of its rows, in which terms are numbered densely and those that cannot gain are
    gone; so the tables shrink with the nodes and stay in the nearest cache. `numbers` is scratch for the terms of the
    whole, all 0 before and after; `nnz` is the number of postings of `order`; 8 bytes a posting are allocated.
    """
    n = len(order)
    if n <= leaf or n < 2:
        return
    from_indptr = np.empty(n + 1, np.int64)
    to_indptr = np.empty(n + 1, np.int64)
    from_terms = np.empty(nnz, np.uint32)
    to_terms = np.empty(nnz, np.uint32)
    size = min(nnz // 2, len(numbers)) + 1  # a term that is kept has two postings at least
    total = np.empty(size, np.int32)
    left = np.empty(size, np.int32)
    rightward = np.empty(size, np.int32)
    leftward = np.empty(size, np.int32)
    values = np.empty(n, np.int32)
    from_left = np.empty(n, np.int32)
    from_right = np.empty(n, np.int32)
    counts = np.empty(BUCKETS, np.int64)
    rows = np.arange(n)
    node_numbers = np.zeros(size, np.int32)
    borders = np.empty(n + 1, np.int64)
    next_borders = np.empty(n + 1, np.int64)
    borders[0], borders[1] = 0, n
    n_nodes = 1
    n_terms = gather(indptr, terms, order, numbers, 0, to_indptr, to_terms, total)
    depth = 0
    while True:
        place = 0
        n_next = 0
        next_borders[0] = 0
        split = False
        for node in range(n_nodes):
            low, high = borders[node], borders[node + 1]
            if high - low > leaf:
                split = True
                here = rows[low:high]
                if depth > 0:
                    n_terms = gather(
                        from_indptr, from_terms, here, node_numbers, place, to_indptr[low : high + 1], to_terms, total
                    )
                    place = to_indptr[high]
                    for i in range(low, high):
                        rows[i] = i
                n_left = split_point(high - low)
                # Rows are numbered over the subtree, so that `to_indptr` is passed whole.
                bisect(
                    to_indptr, to_terms, here, order[low:high], n_left, n_terms, total, marginals,
                    size_gain(n_left, high - low - n_left, unit), cooling, iterations, salt,
                    left, rightward, leftward, values[low:high], counts, from_left, from_right,
                )  # fmt: skip
                n_next += 1
                next_borders[n_next] = low + n_left
            n_next += 1
            next_borders[n_next] = high
        if not split:
            return
        from_indptr, to_indptr = to_indptr, from_indptr
        from_terms, to_terms = to_terms, from_terms
        borders, next_borders = next_borders, borders
        n_nodes = n_next
        depth += 1


@njit(types.void(_i8, _u4, _f4, _u1, _f4, _i8_out), cache=True, nogil=True)
def kept_lengths(
    indptr: np.ndarray,
    terms: np.ndarray,
    weights: np.ndarray,
    allowed: np.ndarray,
    thresholds: np.ndarray,
    lengths: np.ndarray,
) -> None:
    """`lengths[row]` = the thresholds that the weights of the row's terms with `allowed[t]` reach, in all."""
    for row in range(len(lengths)):
        count = 0
        for p in range(indptr[row], indptr[row + 1]):
            if allowed[terms[p]]:
                for threshold in thresholds:
                    count += weights[p] >= threshold
        lengths[row] = count


@njit(types.void(_i8, _u4, _f4, _u1, _f4, _i8, _u4_out), cache=True, nogil=True)
def copy_kept(
    indptr: np.ndarray,
    terms: np.ndarray,
    weights: np.ndarray,
    allowed: np.ndarray,
    thresholds: np.ndarray,
    kept_indptr: np.ndarray,
    kept_terms: np.ndarray,
) -> None:
    """A term t for each threshold number l that its weight reaches: t × thresholds + l, rows as `kept_lengths` says.

    Row 0 of `kept_indptr` need not start at 0: a slice of the rows can be copied on its own.
    """
    levels = len(thresholds)
    for row in range(len(kept_indptr) - 1):
        place = kept_indptr[row]
        for p in range(indptr[row], indptr[row + 1]):
            if allowed[terms[p]]:
                for level in range(levels):
                    if weights[p] >= thresholds[level]:
                        kept_terms[place] = np.uint32(np.int64(terms[p]) * levels + level)
                        place += 1
