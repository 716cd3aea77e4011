"""Protocol Buffers' wire format, as much of it as CIFF needs: varints, fields, delimited messages.

Knows nothing of any message. Trusts no length: bytes are read in pieces, so that what is allocated is what is there.
Wire format: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

#: Bytes that are asked of a file at once.
PIECE = 1 << 20
MAX_INT32 = 2**31 - 1
_MAX_VARINT_BYTES = 10


class WireError(Exception):
    """Bytes that are not what they must be; the message is a phrase, the caller adds the file."""


def encode_varint(value: int) -> bytes:
    """A number of 0 or more."""
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def varint_field(number: int, value: int) -> bytes:
    """A varint field; nothing where the value is 0, the default."""
    return encode_varint(number << 3 | VARINT) + encode_varint(value) if value else b""


def bytes_field(number: int, value: bytes) -> bytes:
    """A field of bytes, a string or a message; nothing where it is empty."""
    return encode_varint(number << 3 | BYTES) + encode_varint(len(value)) + value if value else b""


def double_field(number: int, value: float) -> bytes:
    """A double field; nothing where the value is 0."""
    return encode_varint(number << 3 | FIXED64) + struct.pack("<d", value) if value else b""


def decode_varint(data: bytes, place: int) -> tuple[int, int]:
    """The unsigned number at `place`, and the place after it."""
    value = shift = 0
    for at in range(place, min(place + _MAX_VARINT_BYTES, len(data))):
        byte = data[at]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >= 2**64:
                raise WireError("a number is longer than 64 bits")
            return value, at + 1
        shift += 7
    raise WireError("a number is longer than 10 bytes" if shift == 70 else "a number is cut short")


def decode_field(data: bytes, place: int) -> tuple[int, int, int | bytes, int]:
    """(field number, wire type, value, the place after it); the value is an int for a varint, else bytes."""
    tag, place = decode_varint(data, place)
    number, kind = tag >> 3, tag & 7
    if not 0 < number < 2**29:
        raise WireError(f"a field has the number {number}")
    if kind == VARINT:
        value, place = decode_varint(data, place)
        return number, kind, value, place
    if kind == BYTES:
        length, place = decode_varint(data, place)
    elif kind in (FIXED64, FIXED32):
        length = 8 if kind == FIXED64 else 4
    else:
        raise WireError(f"field {number} has the wire type {kind}, which is none or out of use")
    if length > len(data) - place:
        raise WireError(f"field {number} says that it has {length} bytes, there are {len(data) - place}")
    return number, kind, data[place : place + length], place + length


def fields(data: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """(field number, wire type, value) of a message."""
    place = 0
    while place < len(data):
        number, kind, value, place = decode_field(data, place)
        yield number, kind, value


def as_count(value: int | bytes, what: str, *, limit: int = MAX_INT32) -> int:
    """A varint that must be a number of 0 to `limit`; `WireError` names `what` where it is not."""
    if not isinstance(value, int):
        raise WireError(f"{what} is not a number")
    signed = value - 2**64 if value >= 2**63 else value
    if not 0 <= signed <= limit:
        raise WireError(f"{what} is {signed}, it must be within 0 and {limit}")
    return signed


def as_text(value: int | bytes, what: str) -> str:
    """Bytes that must be UTF-8; `WireError` names `what` where they are not."""
    if not isinstance(value, bytes):
        raise WireError(f"{what} is not a string")
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise WireError(f"{what} is not UTF-8: {value[:40]!r}") from None


class Delimited:
    """A stream of delimited messages. `offset` is how many (decompressed) bytes were read."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.offset = 0

    def length(self) -> int | None:
        """The length that stands before the next message; None at the end of the stream."""
        start = b""
        while not start or start[-1] >= 0x80:
            byte = self._stream.read(1)
            if not byte:
                if not start:
                    return None
                raise WireError("the length of a message is cut short")
            start += byte
            self.offset += 1
            if len(start) > _MAX_VARINT_BYTES:
                raise WireError("the length of a message is longer than 10 bytes")
        return as_count(decode_varint(start, 0)[0], "the length of a message")

    def exactly(self, length: int) -> bytes:
        """That many bytes, or `WireError`; they are read in pieces."""
        pieces = []
        missing = length
        while missing:
            piece = self._stream.read(min(missing, PIECE))
            if not piece:
                raise WireError(f"the file ends {missing} bytes before a message does")
            pieces.append(piece)
            missing -= len(piece)
            self.offset += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def message(self, limit: int) -> bytes:
        """The next message, of `limit` bytes at most."""
        length = self.length()
        if length is None:
            raise WireError("the file ends where a message must be")
        if length > limit:
            raise WireError(f"a message says that it has {length} bytes, more than {limit}")
        return self.exactly(length)
