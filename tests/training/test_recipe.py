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
        ("[sampling]", "[[mining]]\nby = 'bm25'\nceiling = -1.0\n[sampling]", "ceiling is -1.0"),
        ("[sampling]", "[[teachers]]\nkind = 'scores'\nname = 'bm25'\n[sampling]", "kind scores is called bm25"),
        ("[sampling]", "[[teachers]]\nkind = 'bm25'\nname = 'x'\nk1 = -1.0\n[sampling]", "k1 is -1.0"),
        ("[sampling]", "[ensemble]\nscale = inf\n[sampling]", "scale is inf, it must be a finite number"),
        ("mined_negatives = 0", "mined_negatives = -1", "mined_negatives is -1"),
        ("mined_negatives = 0", "given_negatives = -1", "given_negatives is -1"),
        ("[losses.infonce]", "[losses.infonce]\nweight = inf", "weight is inf"),
        ("[losses.infonce]", "[losses.infonce]\nmask_false_negatives = true", "losses.infonce needs a teacher"),
        ("[losses.infonce]", "[losses.kl]", "losses.kl needs a teacher"),
        ("[losses.infonce]", "[losses.pairwise]", "compares a query's own candidates"),
        ('checkpoint = "student"', 'checkpoint = "student"\nbias_shift = nan', "bias_shift is nan"),
        ('checkpoint = "student"', 'checkpoint = "~nobody-is-called-so/x"', "a user who has no home here"),
        ('precision = "fp32"', 'schedule = "steep"', "one of linear, cosine"),
        ('precision = "fp32"', "beta1 = 1.5", "beta1 is 1.5"),
        ('precision = "fp32"', "head_learning_rate = -1.0", "head_learning_rate is -1.0"),
        ('precision = "fp32"', "weight_decay = -1.0", "weight_decay is -1.0"),
        ('precision = "fp32"', "clip = -1.0", "clip is -1.0"),
        ('precision = "fp32"', "gradient_cache = true", "1 or more with gradient_cache"),
        ("log_steps = 1", "log_steps = 2\nevaluate_steps = 5", "a multiple of run.log_steps, 2"),
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


def test_a_table_is_not_trained_where_queries_are_neural(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, student='queries = "neural"', more="[idf]\ntrainable = true")
    with pytest.raises(RecipeError, match="no table to train"):
        read_recipe(recipe)


def test_a_loss_over_own_candidates_takes_a_batch_or_negatives(tmp_path: Path) -> None:
    for settings, sampling in (('pool = "batch"', "mined_negatives = 0"), ("", "given_negatives = 1")):
        recipe = write_recipe(tmp_path, loss="pairwise", loss_settings=settings, sampling=sampling)
        assert "pairwise" in read_recipe(recipe).losses
