"""CIFF's postings, many at a time: gaps and impacts to the bytes of `Posting` messages and back.

A posting is field 4 of its list: tag, length, and inside it field 1 (gap of the document id) and field 2 (impact), all
of them varints. So six varints in a fixed pattern make a posting, which NumPy can check and decode without a loop.
What does not follow the pattern, legally or not, is left to `decode_posting`, field by field.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lsr.interchange.wire import BYTES, MAX_INT32, WireError, as_count, encode_varint, fields

POSTING = 4
_TAG = POSTING << 3 | BYTES
_GAP_TAG, _IMPACT_TAG = 1 << 3, 2 << 3
#: An int32 above 0 takes 5 bytes at most.
_MAX_BYTES = 5
_CHUNK = 1 << 18


def decode_run(data: bytes, place: int) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """The longest run of complete, regular postings from `place` on.

    Returns
    -------
    gaps, impacts : int64 ndarrays
        Each within 1 and 2³¹ − 1.
    place : int
        Where the run ends.
    """
    octets = np.frombuffer(data, np.uint8, offset=place)
    ends = np.flatnonzero(octets < 0x80)
    ends = ends[: len(ends) // 6 * 6]
    if not len(ends):
        return np.zeros(0, np.int64), np.zeros(0, np.int64), place
    starts = np.empty_like(ends)
    starts[0] = 0
    starts[1:] = ends[:-1] + 1
    lengths = ends - starts + 1
    values = (octets[starts] & 0x7F).astype(np.int64)
    for byte in range(1, _MAX_BYTES):
        longer = np.flatnonzero(lengths > byte)
        if not len(longer):
            break
        values[longer] |= (octets[starts[longer] + byte] & 0x7F).astype(np.int64) << (7 * byte)
    six, width = values.reshape(-1, 6), lengths.reshape(-1, 6)
    regular = (six[:, 0] == _TAG) & (six[:, 2] == _GAP_TAG) & (six[:, 4] == _IMPACT_TAG)
    regular &= (width[:, [0, 1, 2, 4]] == 1).all(axis=1) & (six[:, 1] == width[:, 2:].sum(axis=1))
    for column in (3, 5):
        regular &= (width[:, column] <= _MAX_BYTES) & (six[:, column] > 0) & (six[:, column] <= MAX_INT32)
    count = len(regular) if regular.all() else int(np.argmin(regular))
    after = place + int(ends[6 * count - 1]) + 1 if count else place
    return six[:count, 3].copy(), six[:count, 5].copy(), after


def decode_posting(message: bytes) -> tuple[int, int]:
    """(gap, impact) of one `Posting` message, each 0 or more."""
    gap = impact = 0
    for number, _, value in fields(message):
        if number == 1:
            gap = as_count(value, "the gap to a posting's document (postings must be sorted)")
        elif number == 2:
            impact = as_count(value, "the weight (tf) of a posting")
    return gap, impact


def encode_posting(gap: int, impact: int) -> bytes:
    """One posting, of any gap; zeros are left out, as protobuf does."""
    inside = b"".join(
        encode_varint(tag) + encode_varint(value) for tag, value in ((_GAP_TAG, gap), (_IMPACT_TAG, impact)) if value
    )
    return encode_varint(_TAG) + encode_varint(len(inside)) + inside


def encoded_length(gaps: NDArray[np.uint32], impacts: NDArray[np.uint32]) -> int:
    """Bytes that `encode_run` would give."""
    total = 4 * len(gaps)
    for array in (gaps, impacts):
        for start in range(0, len(array), _CHUNK):
            total += int(_widths(array[start : start + _CHUNK]).sum())
    return total


def encode_run(gaps: NDArray[np.uint32], impacts: NDArray[np.uint32]) -> bytes:
    """Postings whose gaps and impacts are within 1 and 2³¹ − 1."""
    return b"".join(
        _encode(gaps[start : start + _CHUNK], impacts[start : start + _CHUNK]) for start in range(0, len(gaps), _CHUNK)
    )


def _encode(gaps: NDArray[np.uint32], impacts: NDArray[np.uint32]) -> bytes:
    gap_width, impact_width = _widths(gaps), _widths(impacts)
    width = 4 + gap_width + impact_width
    starts = np.cumsum(width) - width
    out = np.empty(int(width.sum()), np.uint8)
    out[starts] = _TAG
    out[starts + 1] = width - 2
    out[starts + 2] = _GAP_TAG
    _place(out, starts + 3, gaps, gap_width)
    out[starts + 3 + gap_width] = _IMPACT_TAG
    _place(out, starts + 4 + gap_width, impacts, impact_width)
    return out.tobytes()


def _widths(values: NDArray[np.uint32]) -> NDArray[np.int64]:
    """int64 ndarray: bytes of each value as a varint."""
    widths = np.ones(len(values), np.int64)
    for bits in (7, 14, 21, 28):
        widths += values >= np.uint32(1 << bits)
    return widths


def _place(
    out: NDArray[np.uint8], starts: NDArray[np.int64], values: NDArray[np.uint32], widths: NDArray[np.int64]
) -> None:
    """Write each value as a varint at its start."""
    for byte in range(_MAX_BYTES):
        reach = np.flatnonzero(widths > byte)
        if not len(reach):
            break
        octets = values[reach] >> np.uint32(7 * byte) & np.uint32(0x7F)
        more = (widths[reach] > byte + 1).astype(np.uint32) << np.uint32(7)
        out[starts[reach] + byte] = (octets | more).astype(np.uint8)


def absolute(last: int, gaps: NDArray[np.int64]) -> NDArray[np.int64]:
    """Document ids from the id before them and gaps; `WireError` where one exceeds 32 bits."""
    docs = last + np.cumsum(gaps)
    if len(docs) and int(docs[-1]) > MAX_INT32:
        raise WireError(f"a posting's document is {int(docs[-1])}, more than {MAX_INT32}")
    return docs
