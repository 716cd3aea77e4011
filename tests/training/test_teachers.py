"""Teachers and their ensemble against the plain formulas."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from training_help import TEACHERS, write_cross_encoder, write_recipe

from lsr.errors import RecipeError, TrainingDataError
from lsr.training.data.mining import mine
from lsr.training.data.prepare import prepare
from lsr.training.data.prepared import VOCABULARY, PreparedData
from lsr.training.gather import gather
from lsr.training.recipe import Ensemble, Mining, read_recipe
from lsr.training.teachers import Teacher, make_teacher
from lsr.training.teachers.bm25 import BM25Teacher
from lsr.training.teachers.dense import DenseTeacher
from lsr.training.teachers.ensemble import ensemble_scores, min_max
from lsr.training.teachers.networks import SentenceNetwork


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("teachers")
    write_recipe(folder, more=TEACHERS, data="[data.pseudo]\nper_document = 0.2")
    return folder


@pytest.fixture(scope="module")
def gathered(world: Path) -> tuple[PreparedData, list[Teacher]]:
    path = world / "recipe.toml"
    data, teachers, _ = gather(read_recipe(path), path, lambda line: None)
    return data, teachers


QUERIES, DOCUMENTS = np.arange(5), np.arange(3, 40)


def test_min_max_goes_from_nought_to_one_and_keeps_unknowns() -> None:
    scores = np.array([[1, 3, 2], [5, 5, 5], [np.nan, 0, 4], [np.nan] * 3], np.float32)
    found = min_max(scores)
    assert found[0].tolist() == pytest.approx([0, 1, 0.5], abs=1e-5)
    assert found[1].tolist() == [0, 0, 0]
    assert np.isnan(found[2, 0])
    assert found[2, 1:].tolist() == pytest.approx([0, 1], abs=1e-5)
    assert np.isnan(found[3]).all()


def test_min_max_over_own_candidates() -> None:
    found = min_max(np.array([[0, 10, 4, 6]], np.float32), np.array([[2, 3]]))
    assert found[0].tolist() == pytest.approx([-2, 3, 0, 1], abs=1e-4)


def test_the_ensemble_is_the_weighted_mean_times_the_scale() -> None:
    class Fixed(Teacher):
        def __init__(self, scores: list[list[float]]) -> None:
            self.found = np.array(scores, np.float32)

        def prepare(self, say: object) -> None: ...

        def scores(self, queries: object, documents: object) -> np.ndarray:
            return self.found

    teachers = [Fixed([[0, 1, 2]]), Fixed([[9, 3, math.nan]])]
    nobody = np.zeros((1, 1), np.int64)
    found = ensemble_scores(teachers, [1, 3], Ensemble(scale=10), np.zeros(1, int), np.zeros(3, int), nobody)
    assert found[0].tolist() == pytest.approx([7.5, 1.25, 10], abs=1e-3)


def test_bm25_is_the_formula(gathered: tuple[PreparedData, list[Teacher]]) -> None:
    data, teachers = gathered
    bm25 = teachers[1]
    assert isinstance(bm25, BM25Teacher)
    found = bm25.scores(QUERIES, DOCUMENTS)
    n, average = len(data.documents), data.documents.lengths.mean()
    special = set(data.manifest.special_ids)
    for row, query in enumerate(QUERIES.tolist()):
        for column, document in enumerate(DOCUMENTS.tolist()):
            tokens, total = data.documents[document].tolist(), 0.0
            for term in set(data.queries[query].tolist()) - special:
                df = sum(term in set(data.documents[d].tolist()) for d in range(n))
                tf = tokens.count(term)
                norm = 0.9 * (1 - 0.4 + 0.4 * len(tokens) / average)
                total += math.log((n + 1) / (df + 0.5)) * tf * 1.9 / (tf + norm)
            assert found[row, column] == pytest.approx(total, rel=1e-4, abs=1e-5)


def test_a_dense_teacher_gives_cosines_however_it_gets_its_tokens(
    gathered: tuple[PreparedData, list[Teacher]], world: Path
) -> None:
    import torch
    from transformers import AutoModel

    data, teachers = gathered
    dense = teachers[0]
    assert isinstance(dense, DenseTeacher)
    found = dense.scores(QUERIES, DOCUMENTS)
    model = AutoModel.from_pretrained(world / "teacher").eval()
    frame = [*data.manifest.prefix], [*data.manifest.suffix]

    def embed(tokens: list[int]) -> torch.Tensor:
        with torch.inference_mode():
            states = model(input_ids=torch.tensor([frame[0] + tokens + frame[1]])).last_hidden_state
        return torch.nn.functional.normalize(states[0].mean(0), dim=0)

    queries = torch.stack([embed(data.queries[q].tolist()) for q in QUERIES.tolist()])
    documents = torch.stack([embed(data.documents[d].tolist()) for d in DOCUMENTS.tolist()])
    assert found == pytest.approx((queries @ documents.T).numpy(), abs=2e-3)

    # The same from the texts: as if the teacher's tokenizer split otherwise.
    record = data.folder / VOCABULARY
    kept = record.read_text()
    record.write_text(json.dumps({"splitting": None, "tokens": []}))
    try:
        other = DenseTeacher(data, "again", world / "teacher", max_length=128)
        other.prepare(lambda line: None)
        assert other.scores(QUERIES, DOCUMENTS) == pytest.approx(found, abs=2e-3)
    finally:
        record.write_text(kept)


def test_embeddings_are_computed_once(gathered: tuple[PreparedData, list[Teacher]]) -> None:
    said: list[str] = []
    for teacher in gathered[1]:
        teacher.prepare(said.append)
    assert said == []


def test_mining_follows_the_ranking_and_leaves_positives_out(gathered: tuple[PreparedData, list[Teacher]]) -> None:
    data, teachers = gathered
    found = mine(Mining("bm25", first=2, last=6), data, teachers[1], lambda line: None)
    assert found.shape == (len(data.queries), 5)
    everything = np.arange(len(data.documents))
    positives: dict[int, set[int]] = {}
    for query, document, _ in np.concatenate([data.pairs, data.pseudo]).tolist():
        positives.setdefault(query, set()).add(document)
    for query in range(0, len(data.queries), 7):
        scores = teachers[1].scores(np.array([query]), everything)[0]
        scores[list(positives[query])] = -1
        ranked = np.sort(scores)[::-1]
        mined = [d for d in found[query].tolist() if d >= 0]
        assert not positives[query] & set(mined)
        # impacts have 8 bits: the order may differ where scores are nearly equal
        assert scores[mined] == pytest.approx(ranked[1 : 1 + len(mined)], rel=0.03, abs=0.02)


def test_dense_mining_and_the_ceiling(gathered: tuple[PreparedData, list[Teacher]]) -> None:
    data, teachers = gathered
    found = mine(Mining("body", last=4, ceiling=0.999), data, teachers[0], lambda line: None)
    pairs = dict(data.pairs[:, :2].tolist())
    for query in list(pairs)[:20]:
        mined = [d for d in found[query].tolist() if d >= 0]
        good = [d for q, d in data.pairs[:, :2].tolist() if q == query]
        scores = teachers[0].scores(np.array([query]), np.array([*good, *mined]))[0]
        assert (scores[len(good) :] <= 0.999 * scores[: len(good)].max() + 1e-6).all()


def test_negatives_are_mined_anew_for_another_ranker(world: Path, gathered: tuple[PreparedData, list[Teacher]]) -> None:
    """A teacher's name says nothing of its checkpoint or settings."""
    data, found = gathered[0], []
    for k1 in (0.9, 0.0):
        teacher = BM25Teacher(data, "bm25", k1=k1, b=0.4)
        teacher.prepare(lambda line: None)
        said: list[str] = []
        found.append(mine(Mining("bm25", last=20), data, teacher, said.append))
        assert len(said) == 1
    assert not np.array_equal(found[0], found[1])


def test_embeddings_of_other_weights_are_refused(tmp_path: Path) -> None:
    """A checkpoint that was trained further has the same configuration and as many bytes."""
    path = write_recipe(tmp_path, more=TEACHERS)
    recipe = read_recipe(path)
    data, (dense, _), _ = gather(recipe, path, lambda line: None)
    weights = tmp_path / "teacher" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-64] + bytes(range(64)))
    with pytest.raises(TrainingDataError, match="other weights than the teacher body has now"):
        make_teacher(recipe.teachers[0], data, tmp_path)
    (data.folder / dense.key / "weights.txt").unlink()  # an earlier version
    said: list[str] = []
    make_teacher(recipe.teachers[0], data, tmp_path).prepare(said.append)
    assert said == []


@pytest.mark.parametrize("alike", [True, False])
def test_a_dense_teacher_reads_no_more_than_it_has_positions_for(tmp_path: Path, alike: bool) -> None:
    text = " ".join(["the moon and the sea"] * 40)
    (tmp_path / "pairs.jsonl").write_text(json.dumps({"query": "moon", "pos": text}) + "\n")
    path = write_recipe(tmp_path, more=TEACHERS)
    recipe = read_recipe(path)
    data = prepare(recipe.data, tmp_path / "student" / "tokenizer.json", 200, tmp_path, 0, lambda line: None)
    if not alike:
        (data.folder / VOCABULARY).unlink()
    teacher = DenseTeacher(data, "body", tmp_path / "teacher", max_length=128)
    teacher.prepare(lambda line: None)
    cut = SentenceNetwork("body", tmp_path / "teacher").encode_texts([text], 64)
    assert np.array_equal(teacher.embeddings("documents"), cut)


def test_scores_of_the_rows_are_a_teacher(tmp_path: Path) -> None:
    rows = [
        {"query": "the moon", "pos": "the moon and the sea", "neg": ["ice", "bread"], "scores": [9, 1, 2]},
        {"query": "a tide", "pos": "a tide in the sea"},
    ]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    more = '[[teachers]]\nkind = "scores"\nname = "given"'
    path = write_recipe(tmp_path, more=more)
    _, [teacher], _ = gather(read_recipe(path), path, lambda line: None)
    found = teacher.scores(np.arange(2), np.arange(4))
    assert found[0].tolist()[:3] == [9, 1, 2]
    assert np.isnan(found[0, 3])
    assert np.isnan(found[1]).all()


def test_teachers_that_are_not_there(tmp_path: Path) -> None:
    path = write_recipe(tmp_path, more='[[teachers]]\nkind = "scores"\nname = "given"')
    with pytest.raises(TrainingDataError, match="no row has any"):
        gather(read_recipe(path), path, lambda line: None)
    path = write_recipe(tmp_path, more='[[teachers]]\nkind = "dense"\nname = "far"\ncheckpoint = "nowhere"')
    with pytest.raises(TrainingDataError, match=r"the teacher far has no config\.json"):
        gather(read_recipe(path), path, lambda line: None)
    path = write_recipe(tmp_path, more='[[teachers]]\nkind = "dense"\nname = "far"')
    with pytest.raises(RecipeError, match="has no checkpoint"):
        gather(read_recipe(path), path, lambda line: None)
    assert make_teacher is not None


def test_a_cross_encoder_scores_the_candidates_of_a_query_and_no_others(tmp_path: Path) -> None:
    from lsr.training.teachers.networks import PairNetwork

    path = write_recipe(tmp_path, more='[[teachers]]\nkind = "cross-encoder"\nname = "judge"\ncheckpoint = "cross"')
    write_cross_encoder(tmp_path / "cross")
    text = path.read_text() + '\n[[mining]]\nby = "bm25"\nlast = 5\n'
    path.write_text(text.replace("mined_negatives = 0", "mined_negatives = 1"))
    with (tmp_path / "pairs.jsonl").open("a") as file:
        file.write(json.dumps({"query": "ice", "pos": "ice and bread", "neg": ["the bridge"]}) + "\n")
    data, [teacher], [mined] = gather(read_recipe(path), path, lambda line: None)
    query = len(data.queries) - 1
    everything = np.arange(len(data.documents))
    found = teacher.scores(np.array([query]), everything)[0]
    positive = int(data.pairs[data.pairs[:, 0] == query][0, 1])
    given = data.negatives[len(data.pairs) - 1].tolist()
    wanted = {positive, *given, *(d for d in mined[query].tolist() if d >= 0)}
    assert set(np.flatnonzero(~np.isnan(found)).tolist()) == wanted
    network = PairNetwork("judge", tmp_path / "cross", 128)
    texts = data.texts("documents")
    expected = network.scores([("ice", texts[d]) for d in sorted(wanted)])
    assert found[sorted(wanted)] == pytest.approx(expected, abs=1e-5)
    # What a batch draws as a query's own is scored.
    from lsr.training.data.batches import Sampler

    recipe = read_recipe(path)
    sampler = Sampler(data, recipe.sampling, recipe.data.sources, [mined], 0)
    drawn = sampler.draw(0)
    scores = teacher.scores(drawn.queries, drawn.documents)
    assert np.isfinite(np.take_along_axis(scores, drawn.own[:, :1], 1)).all()
    # A second time nothing is computed.
    said: list[str] = []
    gather(read_recipe(path), path, said.append)
    assert not any("scoring" in line for line in said)


def test_a_run_is_taught_by_a_cross_encoder(tmp_path: Path) -> None:
    from lsr.training.run import train

    teacher = '[[teachers]]\nkind = "cross-encoder"\nname = "judge"\ncheckpoint = "cross"\n'
    more = teacher + '[ensemble]\nnormalise = "none"\nscale = 1.0\n[[mining]]\nby = "bm25"\nlast = 5\n'
    path = write_recipe(tmp_path, loss="margin_mse", sampling="mined_negatives = 2", more=more, steps=4)
    write_cross_encoder(tmp_path / "cross")
    trained = train(path, say=lambda line: None, device="cpu")
    assert (trained.model / "model.safetensors").is_file()


def test_a_sparse_teacher_gives_dot_products_of_its_encoder(tmp_path: Path) -> None:
    from encoder_checkpoints import save_checkpoint

    from lsr.encoders.registry import load_encoder

    more = '[[teachers]]\nkind = "sparse"\nname = "other"\ncheckpoint = "other"\nmax_length = 30'
    path = write_recipe(tmp_path, more=more)
    save_checkpoint(tmp_path / "other", "bert", tied=False)
    data, [teacher], _ = gather(read_recipe(path), path, lambda line: None)
    encoder = load_encoder(str(tmp_path / "other"), settings={"max_length": 30})
    asked = encoder.encode_queries(data.texts("queries")[:5]).to_dense()
    pool = encoder.encode_documents(data.texts("documents")[3:40]).to_dense()
    assert teacher.scores(QUERIES, DOCUMENTS) == pytest.approx(asked @ pool.T, rel=1e-4)
    said: list[str] = []
    teacher.prepare(said.append)
    assert said == []
