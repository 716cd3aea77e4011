"""Both spellings of IDF-aware training from a recipe: idf in the matching function, or in the penalty alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from training_help import write_recipe

from lsr.encoders.manifest import TOKENIZER
from lsr.errors import RecipeError
from lsr.training.gather import gather
from lsr.training.objective import Objective
from lsr.training.query_idf import idf_table
from lsr.training.recipe import read_recipe
from lsr.training.run import train

SECOND = "[idf]\nmatching = false\n\n[regularizers.idf_flops]\nweight = 0.01"


def silent(line: str) -> None:
    """What a run says is not looked at."""


def test_the_table_is_in_the_penalty_and_not_in_the_queries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_recipe(tmp_path, steps=2, more=SECOND)
    recipe = read_recipe(path)
    table = idf_table(recipe.idf, gather(recipe, path, silent)[0], recipe.student.checkpoint / TOKENIZER, tmp_path)
    assert len(np.unique(table)) > 5
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    plain = Objective.loss

    def watched(self: Objective, documents: torch.Tensor, batch: Any) -> torch.Tensor:
        assert self.penalty_idf is not None
        seen.append((self.student.idf(), self.penalty_idf))
        return plain(self, documents, batch)

    monkeypatch.setattr(Objective, "loss", watched)
    model = train(path, say=silent, device="cpu").model
    asked, penalised = seen[0]
    assert np.array_equal(penalised.numpy(), table)
    assert np.array_equal(asked.numpy(), table > 0)
    assert set(json.loads((model / "idf.json").read_text()).values()) == {1.0}
    rows = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert all(row["loss_idf_flops"] > 0 for row in rows if "objective" in row)


def test_a_table_that_nothing_reads_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="leaves the table to regularizers"):
        read_recipe(write_recipe(tmp_path, more="[idf]\nmatching = false"))
