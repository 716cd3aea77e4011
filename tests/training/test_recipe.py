"""Recipes: what is understood, and that whatever is not is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest
from training_help import write_recipe

from lsr.errors import RecipeError
from lsr.training.recipe import read_recipe

RECIPES = sorted((Path(__file__).parents[2] / "training" / "recipes").glob("*.toml"))


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    for folder in ("student", "teacher"):  # not looked at here
        (tmp_path / folder).mkdir()
    return write_recipe(tmp_path)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_recipes_of_the_project_are_recipes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LSR_MODELS", "/models")
    found = read_recipe(path)
    assert found.run.name
    assert all(source.licence for source in found.data.sources)


def test_paths_are_relative_to_the_recipe_and_know_variables(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = recipe.read_text().replace('cache = "cache"', 'cache = "${LSR_TEST_CACHE:-here}/c"')
    recipe.write_text(text)
    monkeypatch.delenv("LSR_TEST_CACHE", raising=False)
    assert read_recipe(recipe).data.cache == recipe.parent / "here" / "c"
    monkeypatch.setenv("LSR_TEST_CACHE", "/elsewhere")
    assert read_recipe(recipe).data.cache == Path("/elsewhere/c")
    assert read_recipe(recipe).run.output == recipe.parent / "run"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("queries = 8", "querys = 8", "did you mean 'queries'"),
        ("queries = 8", "queries = 0", "1 or more"),
        ("queries = 8", "queries = true", "a whole number"),
        ("steps = 6", "steps = 6.5", "a whole number"),
        ("steps = 6", "", "lacks the key 'steps'"),
        ("[losses.infonce]", "[losses.infonse]", "losses.infonse is unknown"),
        ("[losses.infonce]", "[losses.infonce]\nweight = -1", "weight is -1"),
        ("[losses.infonce]", "[losses.infonce]\ntemperature = 0", "temperature is 0"),
        ("[losses.infonce]", "[losses.infonce]\ntau = 1", "unknown key 'tau'"),
        ("[regularizers.flops]", "[regularizers.flopz]", "regularizers.flopz is unknown"),
        ('precision = "fp32"', 'precision = "fp16"', "auto, bf16 or fp32"),
        ('checkpoint = "student"', 'checkpoint = "student"\nhead = "new"', "keep or calibrated"),
        ('cache = "cache"', 'cache = "${LSR_NOT_SET}/c"', "needs the environment variable LSR_NOT_SET"),
        ("[run]", "[run", "is not TOML"),
        ("[sampling]", "[[mining]]\nby = 'mpnet'\n[sampling]", "mining.by is 'mpnet'"),
        ("[sampling]", "[[teachers]]\nkind = 'oracle'\nname = 'x'\n[sampling]", "one of dense, sparse"),
    ],
)
def test_what_a_recipe_does_not_have_is_refused(recipe: Path, old: str, new: str, said: str) -> None:
    assert old in recipe.read_text()
    recipe.write_text(recipe.read_text().replace(old, new))
    with pytest.raises(RecipeError) as error:
        read_recipe(recipe)
    assert said.lower() in str(error.value).lower()


def test_a_recipe_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot be read"):
        read_recipe(tmp_path / "none.toml")
