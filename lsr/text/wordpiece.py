"""`WordPieceTokenizer`: text to the token ids of a checkpoint, read from its `tokenizer.json`.

Knows token ids, their spelling and their place in a text. Knows nothing of models, weights or vectors. Despite the
name any `tokenizers` file will do (BPE, Unigram); WordPiece is what the carried model has.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lsr.errors import CorruptionError, InvalidSettingError

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

#: Characters of a text that are tokenised at first for each token that is wanted; more where they do not suffice.
CHARACTERS_A_TOKEN = 16

_BLANK = re.compile(r"[ \t\n\r]")


class WordPieceTokenizer:
    """A tokenizer whose state never changes after it is made, so that threads may share it.

    What a user writes is text: a literal "[SEP]" in it is split like any other word and never becomes the special
    token of that spelling.

    Attributes
    ----------
    size : int
        Ids go from 0 to size − 1.
    special_ids : tuple of int
        Ascending ids of the special tokens, the unknown token among them. They stand for no word.
    pad_id : int
        What a batch is filled up with.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Take over `tokenizer`: its truncation, padding and handling of special tokens are switched off."""
        padding = tokenizer.padding
        tokenizer.no_padding()
        tokenizer.no_truncation()
        tokenizer.encode_special_tokens = True
        self._tokenizer = tokenizer
        self.size: int = tokenizer.get_vocab_size(with_added_tokens=True)
        added = tokenizer.get_added_tokens_decoder()
        self.special_ids: tuple[int, ...] = tuple(sorted(i for i, token in added.items() if token.special))
        named = (tokenizer.token_to_id(name) for name in ("[PAD]", "<pad>"))
        self.pad_id: int = padding["pad_id"] if padding else next((i for i in named if i is not None), 0)
        probe = tokenizer.encode("a")
        own = [place for place, sequence in enumerate(probe.sequence_ids) if sequence is not None]
        self._prefix: list[int] = probe.ids[: own[0]] if own else probe.ids
        self._suffix: list[int] = probe.ids[own[-1] + 1 :] if own else []

    @classmethod
    def from_bytes(cls, data: bytes, path: Path) -> WordPieceTokenizer:
        """From the content of a `tokenizer.json`; `path` is named in the CorruptionError if it is none."""
        from tokenizers import Tokenizer

        try:
            return cls(Tokenizer.from_buffer(data))
        except Exception as error:  # tokenizers raises plain Exception for whatever is wrong with the file
            raise CorruptionError(path, f"not a tokenizer: {error}", remedy="fetch the checkpoint again") from error

    @classmethod
    def from_file(cls, path: Path) -> WordPieceTokenizer:
        """From a `tokenizer.json`."""
        return cls.from_bytes(path.read_bytes(), path)

    @property
    def prefix(self) -> list[int]:
        """The special tokens that come before a text."""
        return list(self._prefix)

    @property
    def suffix(self) -> list[int]:
        """The special tokens that come after a text."""
        return list(self._suffix)

    @property
    def frame(self) -> int:
        """How many special tokens surround the tokens of one text."""
        return len(self._prefix) + len(self._suffix)

    def ids(self, text: str) -> list[int]:
        """All token ids of a text in order, without special tokens around them."""
        return list(self._encode(text).ids)

    def inputs(self, texts: Sequence[str], max_length: int) -> list[list[int]]:
        """What a model reads of each text: its first tokens between the special ones, `max_length` in all.

        A text without any token gives an empty list, without special tokens. A long text is tokenised only as far
        as it is read, so memory does not grow with it.

        Raises
        ------
        InvalidSettingError
            Where `max_length` leaves no room for a token.
        """
        room = max_length - self.frame
        if room < 1:
            raise InvalidSettingError(f"max_length is {max_length}, it must be {self.frame + 1} or more")
        rows: list[list[int]] = [[]] * len(texts)
        pending = list(range(len(texts)))
        characters = CHARACTERS_A_TOKEN * room
        while pending:
            heads = [_head(texts[number], characters) for number in pending]
            unfinished = []
            for number, head, encoding in zip(pending, heads, self._encode_all(heads), strict=True):
                tokens = encoding.ids[:room]
                if len(tokens) < room and len(head) < len(texts[number]):
                    unfinished.append(number)
                else:
                    rows[number] = self._prefix + tokens + self._suffix if tokens else []
            pending = unfinished
            characters *= 8
        return rows

    def offsets(self, text: str) -> list[tuple[int, int, int]]:
        """(id, start, end) of each token of the whole text that is not special; characters, end exclusive."""
        encoding = self._encode(text)
        special = set(self.special_ids)
        return [
            (token, start, end)
            for token, (start, end) in zip(encoding.ids, encoding.offsets, strict=True)
            if token not in special and end > start
        ]

    def places(self, text: str) -> list[tuple[int, int]]:
        """(start, end) of each token of the whole text, unknown ones too; characters, end exclusive."""
        return list(self._encode(text).offsets)

    def words_of(self, text: str) -> list[tuple[str, int, int]]:
        """(word, start, end) of each word that the tokenizer's normaliser and splitter make, before word pieces.

        Places are those in `text`, characters, end exclusive.
        """
        from tokenizers import NormalizedString, PreTokenizedString

        splitter, normalizer = self._tokenizer.pre_tokenizer, self._tokenizer.normalizer
        try:
            pieces = PreTokenizedString(text)
        except TypeError:
            pieces = PreTokenizedString(_without_surrogates(text))
        if normalizer is not None:

            def normal(piece: NormalizedString) -> None:
                normalizer.normalize(piece)

            pieces.normalize(normal)
        if splitter is not None:
            splitter.pre_tokenize(pieces)
        return [(word, start, end) for word, (start, end), _ in pieces.get_splits("original", "char")]

    def split_words(self, text: str, max_length: int) -> list[tuple[str, list[int]]]:
        """(word, token ids) of the words of a text, only as far as `max_length` tokens need."""
        room, characters = max(1, max_length), CHARACTERS_A_TOKEN * max(1, max_length)
        while True:
            head = _head(text, characters)
            words = [word for word, _, _ in self.words_of(head)][:room]
            if len(words) == room or len(head) == len(text):
                break
            characters *= 8
        model = self._tokenizer.model
        return [(word, [token.id for token in model.tokenize(word)]) for word in words]

    def tokens(self, ids: Iterable[int]) -> list[str]:
        """The spelling of each id as the vocabulary has it ("##ing" continues a word); "[#7]" for an id without one."""
        spelled = ((number, self._tokenizer.id_to_token(int(number))) for number in ids)
        return [f"[#{number}]" if token is None else token for number, token in spelled]

    def id(self, token: str) -> int | None:
        """The id of a spelling, None where the vocabulary lacks it."""
        return self._tokenizer.token_to_id(token)

    def _encode(self, text: str) -> Encoding:
        try:
            return self._tokenizer.encode(text, add_special_tokens=False)
        except TypeError:
            return self._tokenizer.encode(_without_surrogates(text), add_special_tokens=False)

    def _encode_all(self, texts: list[str]) -> list[Encoding]:
        try:
            return self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        except TypeError:
            whole = [_without_surrogates(text) for text in texts]
            return self._tokenizer.encode_batch_fast(whole, add_special_tokens=False)


def _head(text: str, characters: int) -> str:
    """The text up to its first blank at or after `characters`: words and so tokens stay whole."""
    if len(text) <= characters:
        return text
    blank = _BLANK.search(text, characters)
    return text if blank is None else text[: blank.start()]


def _without_surrogates(text: str) -> str:
    """Half a UTF-16 pair (JSON can spell one) is no character: a question mark in its place, so offsets still fit."""
    return text.encode("utf-8", "replace").decode("utf-8")
