"""What reading came to: documents read, documents skipped and why."""

from __future__ import annotations

from dataclasses import dataclass, field

from lsr.errors import MalformedDocumentError

#: How many messages a report keeps; the count goes on.
KEPT_MESSAGES = 10


@dataclass(slots=True)
class ReadReport:
    """Counts that grow while sources are read; one report may serve many sources.

    Attributes
    ----------
    read : int
        Documents handed on.
    skipped : int
        Malformed documents passed over (`on_error="skip"`).
    messages : list of str
        What was wrong with the first few that were skipped.
    """

    read: int = 0
    skipped: int = 0
    messages: list[str] = field(default_factory=list)

    def skip(self, error: MalformedDocumentError) -> None:
        """Count a document that is passed over."""
        self.skipped += 1
        if len(self.messages) < KEPT_MESSAGES:
            # Without the remedy, which may be to do what was just done.
            self.messages.append(error.message)
