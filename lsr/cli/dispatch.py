"""Commands of two words beside one of their first word: `lsr eval INDEX` and `lsr eval compare RUN`.

A word after a command is its argument, unless both together name a command. So `lsr eval compare` compares; an index in
a folder that is called compare is `lsr eval ./compare`.
"""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup


class TwoWords(TyperGroup):
    """A group of which some commands have a name of two words."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        both = " ".join(args[:2])
        if len(args) > 1 and both in self.commands:
            args = [both, *args[2:]]
        return super().resolve_command(ctx, args)
