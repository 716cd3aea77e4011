"""Every exception that lsr raises on purpose. Each carries what is wrong and, where there is one, the remedy.

::

    LsrError
    ├── InvalidVectorsError (ValueError)      a batch of vectors breaks an invariant
    ├── InvalidDocumentError (ValueError)     a document without id or content, or that JSON and UTF-8 cannot hold
    ├── InvalidQueryError (ValueError)        an empty query, k < 1, a vector of another dimension
    ├── InvalidFilterError (ValueError)       a filter over metadata that means nothing
    ├── InvalidSettingError (ValueError)      a setting outside its legal values
    ├── MissingExtraError (ImportError)       the feature needs an optional dependency
    ├── SourceError                           a source of documents is missing, empty or unreadable
    │   └── MalformedDocumentError            one document of it is; names file and line
    ├── EncoderError                          an encoder cannot be had or cannot be loaded
    │   ├── UnknownEncoderError               no encoder of that name
    │   └── EncoderMismatchError              vectors or queries of another encoder than the index's
    ├── IndexStateError                       a directory is not an index that can be used
    │   ├── NotAnIndexError                   nothing there, or something else
    │   ├── IndexExistsError                  an index is already there
    │   ├── FormatVersionError                written by another version of the format
    │   │   └── OutdatedError                 by an earlier one; a writer brings it up to date
    │   ├── WriterLockedError                 another process is writing
    │   ├── ReadOnlyIndexError                opened for reading only
    │   ├── AccessDeniedError                 the operating system refuses access
    │   ├── DiskFullError                     no room left; what was committed is intact
    │   ├── DeviceFailedError                 the device failed to read, write or flush
    │   └── WriterStoppedError                no more writes after such a failure, until reopened
    ├── CorruptionError                       stored bytes are not what was written; names the file or row
    ├── SnapshotError                         an archive of an index cannot be made or restored
    ├── AliasError                            an alias cannot be set or removed
    ├── DocumentNotFoundError (KeyError)      no document has that id
    ├── EvaluationError                       a collection, run or measure cannot be evaluated
    └── TrainingError                         a training run cannot begin, or had to stop
        ├── RecipeError                       a recipe that cannot be followed; names the file and the key
        ├── TrainingDataError                 training pairs, negatives or scores cannot be used; names file and line
        └── DivergedError                     the model collapsed or a loss is no number; says what to change
"""

from __future__ import annotations

from pathlib import Path


class LsrError(Exception):
    """Root of the tree.

    Parameters
    ----------
    message : str
        What is wrong, with the offending value, one sentence without a final stop.
    remedy : str, optional
        What to do about it, one sentence without a final stop; it is begun with a capital.
    """

    def __init__(self, message: str, *, remedy: str = "") -> None:
        self.message = message
        self.remedy = remedy[:1].upper() + remedy[1:]
        super().__init__(message)

    def __str__(self) -> str:
        return f"{self.message}. {self.remedy}" if self.remedy else self.message


class InvalidVectorsError(LsrError, ValueError):
    """A batch of term-weight vectors breaks an invariant of `lsr.vectors`."""


class InvalidDocumentError(LsrError, ValueError):
    """A document has no id or no content, or holds what JSON and UTF-8 cannot."""


class InvalidQueryError(LsrError, ValueError):
    """A query or its parameters cannot be answered by anything."""


class InvalidFilterError(LsrError, ValueError):
    """A filter over documents' metadata is not of the language, or compares what cannot be compared."""


class InvalidSettingError(LsrError, ValueError):
    """A setting is outside its legal values."""


class MissingExtraError(LsrError, ImportError):
    """A feature needs an optional dependency that is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        self.extra = extra
        super().__init__(
            f"{feature} needs the extra '{extra}'", remedy=f'Install it: pip install "lsr-engine[{extra}]"'
        )


class SourceError(LsrError):
    """A source of documents is missing, empty or unreadable."""


class MalformedDocumentError(SourceError):
    """One document of a source cannot be read.

    Parameters
    ----------
    source : str
        The file, as the user named it.
    line : int or None
        Its line, from 1; None where lines mean nothing.
    reason : str
        What is wrong with it.
    """

    def __init__(self, source: str, line: int | None, reason: str, *, remedy: str = "") -> None:
        self.source = source
        self.line = line
        self.reason = reason
        super().__init__(f"{source}{'' if line is None else f', line {line}'}: {reason}", remedy=remedy)


class EncoderError(LsrError):
    """An encoder cannot be loaded, or cannot do what is asked."""


class UnknownEncoderError(EncoderError):
    """No encoder has that name, and no checkpoint is at that path."""


class EncoderMismatchError(EncoderError):
    """Vectors or queries come from another encoder than the one that the index was built with."""


class IndexStateError(LsrError):
    """A directory is not an index that can be used in the way that was asked."""


class NotAnIndexError(IndexStateError):
    """The path holds no index."""


class IndexExistsError(IndexStateError):
    """The path already holds an index, or other files."""


class FormatVersionError(IndexStateError):
    """The index was written by a version of the format that this version does not read."""


class OutdatedError(FormatVersionError):
    """A derived file has an earlier version of the format: whoever may write builds it anew from the store."""


class WriterLockedError(IndexStateError):
    """Another process holds the writer's lock."""


class ReadOnlyIndexError(IndexStateError):
    """A write was asked of an index that was opened for reading."""


class AccessDeniedError(IndexStateError):
    """The operating system refuses to read or write the path."""


class DiskFullError(IndexStateError):
    """No room is left on the device; nothing that was committed is affected."""


class DeviceFailedError(IndexStateError):
    """The device failed to read, write or flush; whether the last commit is kept is known after reopening."""


class WriterStoppedError(IndexStateError):
    """A write or flush failed before: what the device holds is uncertain until the index is opened again."""


class CorruptionError(LsrError):
    """Stored bytes are not those that were written.

    Parameters
    ----------
    path : Path
        The file that is damaged.
    detail : str
        What was found in it.
    """

    def __init__(self, path: Path, detail: str, *, remedy: str = "") -> None:
        self.path = path
        self.detail = detail
        super().__init__(f"{path} is damaged: {detail}", remedy=remedy)


class SnapshotError(LsrError):
    """An archive of an index cannot be made, read or restored."""


class AliasError(LsrError):
    """An alias cannot be set, followed or removed."""


class DocumentNotFoundError(LsrError, KeyError):
    """No live document has that id."""

    # KeyError would print the repr of its argument.
    __str__ = LsrError.__str__


class EvaluationError(LsrError):
    """A collection, a run or a measure cannot be evaluated."""


class TrainingError(LsrError):
    """A training run cannot begin, or had to stop. Checkpoints that were complete before stay as they are."""


class RecipeError(TrainingError):
    """A recipe cannot be followed."""


class TrainingDataError(TrainingError):
    """Training pairs, negatives or teachers' scores cannot be used."""


class DivergedError(TrainingError):
    """The model collapsed, or a loss is not a number."""
