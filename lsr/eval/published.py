"""Published figures as columns beside ours. Knows the file (`eval/published/*.yaml`); tests nothing against them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lsr.errors import EvaluationError, MissingExtraError


@dataclass(frozen=True, slots=True)
class Published:
    """Figures of one system by one measure: set -> value, as `source` gives them."""

    name: str
    measure: str
    source: str
    values: dict[str, float]

    def mean(self, sets: Iterable[str]) -> float | None:
        """Unweighted mean over sets; None where one is missing."""
        found = [self.values.get(name) for name in sets]
        there = [value for value in found if value is not None]
        return sum(there) / len(there) if there and len(there) == len(found) else None


def read_published(path: str | Path, columns: Sequence[str] = ()) -> list[Published]:
    """The columns of a YAML file: `{name: {source: …, figures: {measure: {set: value}}}}`.

    Parameters
    ----------
    path : str or Path
    columns : sequence of str
        Only these, in this order; all by default.

    Raises
    ------
    EvaluationError
        No such file, another shape, an unknown column.
    MissingExtraError
        PyYAML is not installed.
    """
    try:
        import yaml
    except ModuleNotFoundError:
        raise MissingExtraError("reading published figures", "eval") from None
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise EvaluationError(f"cannot read {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise EvaluationError(f"{path} is not YAML: {error}") from None
    if not isinstance(content, dict):
        raise EvaluationError(f"{path} holds no published figures", remedy="See eval/published/beir.yaml for the shape")
    for name in columns:
        if name not in content:
            near = difflib.get_close_matches(name, content, n=3, cutoff=0.3) or list(content)
            raise EvaluationError(f"{path} has no column {name!r}", remedy=f"Did you mean {' or '.join(near)}?")
    found = []
    for name in columns or content:
        entry = content[name]
        try:
            source = str(entry["source"])
            for measure, values in entry["figures"].items():
                figures = {str(key): float(value) for key, value in values.items()}
                found.append(Published(name, measure, source, figures))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise EvaluationError(
                f"{path}, column {name}: {error!r}", remedy="It is {source: …, figures: {measure: {set: value}}}"
            ) from None
    return found
