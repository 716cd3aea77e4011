"""Whole runs in a small world: they learn, resume exactly, stop when they must, and leave a model that loads."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from training_help import TEACHERS, log_of, write_recipe

from lsr.encoders.registry import load_encoder
from lsr.errors import DivergedError, InvalidSettingError, RecipeError, TrainingError
from lsr.training.checkpoints import COMPLETE, last_complete
from lsr.training.diagnosis import diagnose
from lsr.training.run import dry_run, train

FULL: dict[str, Any] = {
    "loss": "kl",
    "sampling": "group = 4\nmined_negatives = 1\npseudo_share = 0.2",
    "data": "[data.pseudo]\nper_document = 0.5\nquestion_share = 0.5",
    "optimizer": "chunk_documents = 5",
    "more": TEACHERS + '\n[[mining]]\nby = "bm25"\nlast = 8\n\n[controller]\nterms = 30\nstart = 0.0\n'
    "\n[idf]\ntrainable = true\nlearning_rate = 0.01\n",
}


def silent(line: str) -> None:
    """What a run says is not looked at."""


def test_a_run_learns_and_its_model_is_an_encoder(tmp_path: Path) -> None:
    path = write_recipe(tmp_path, steps=30, log_steps=5, save_steps=30, **FULL)
    said: list[str] = []
    trained = train(path, say=said.append)
    log = log_of(tmp_path / "run")
    assert log[30] < 0.97 * log[5]
    assert any("held out: mrr" in line for line in said)
    encoder = load_encoder(str(trained.model), settings={"queries": "inference-free", "max_length": 24})
    vectors = encoder.encode_documents(["the moon pulls the sea"])
    assert vectors.nnz > 0
    query = encoder.encode_queries(["moon of the sea"])
    assert (query.weights > 0).all()
    card = (trained.model / "README.md").read_text()
    assert "| pairs | 120 | 0 | CC0-1.0 |" in card
    assert "body (dense, weight 1)" in card
    assert (trained.model / "recipe.toml").read_text() == path.read_text()
    assert (trained.model / "run.png").stat().st_size > 1000
    # The trained table is saved, not the one that it began with.
    table = json.loads((trained.model / "idf.json").read_text())
    assert len(table) == encoder.dim - 5


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    for folder in (whole, parts):
        folder.mkdir()
    train(write_recipe(whole, steps=8, **FULL), say=silent)
    path = write_recipe(parts, steps=8, **FULL)
    train(path, say=silent, stop_after=3)
    (parts / "run" / "checkpoint-5").mkdir()  # a kill while the next one was written
    (parts / "run" / "checkpoint-5" / "config.json").write_text("{")
    said: list[str] = []
    train(path, say=said.append)
    assert any(line.endswith("checkpoint-3") for line in said)
    expected, found = log_of(whole / "run"), log_of(parts / "run")
    assert list(found) == list(expected)
    assert list(found.values()) == pytest.approx(list(expected.values()), rel=1e-5)
    assert last_complete(parts / "run") == parts / "run" / "checkpoint-8"


def test_a_kill_loses_no_more_than_since_the_last_checkpoint(tmp_path: Path) -> None:
    path = write_recipe(tmp_path, steps=400, save_steps=2)
    code = f"from pathlib import Path\nfrom lsr.training.run import train\ntrain(Path({str(path)!r}), say=print)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        for _ in range(1200):
            if last_complete(tmp_path / "run") is not None or child.poll() is not None:
                break
            try:
                child.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
        child.kill()
    checkpoint = last_complete(tmp_path / "run")
    assert checkpoint is not None
    done = int(checkpoint.name.rpartition("-")[2])
    said: list[str] = []
    train(path, say=said.append, stop_after=done + 2)
    assert f"resuming from {checkpoint}" in said
    assert done + 2 in log_of(tmp_path / "run")


def test_another_recipe_does_not_go_on_in_the_same_folder(tmp_path: Path) -> None:
    train(write_recipe(tmp_path, steps=2), say=silent)
    with pytest.raises(RecipeError, match="another recipe"):
        train(write_recipe(tmp_path, steps=3), say=silent)


def test_the_bias_is_shifted_in_the_published_model_alone(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    trained = train(write_recipe(tmp_path, steps=2, save_steps=2, student="bias_shift = 0.25"), say=silent)
    published = load_file(trained.model / "model.safetensors")
    checkpoint = load_file(tmp_path / "run" / "checkpoint-2" / "model.safetensors")
    (bias,) = (name for name in published if name.endswith("predictions.bias"))
    assert published[bias] == pytest.approx(checkpoint[bias] + 0.25)
    assert all(np.array_equal(published[name], checkpoint[name]) for name in published if name != bias)


def test_the_gradient_cache_changes_nothing(tmp_path: Path) -> None:
    logs = []
    for name, setting in (("plain", ""), ("cached", "chunk_documents = 3\ngradient_cache = true")):
        folder = tmp_path / name
        folder.mkdir()
        train(write_recipe(folder, steps=5, optimizer=setting), say=silent)
        logs.append(list(log_of(folder / "run").values()))
    assert logs[0] == pytest.approx(logs[1], rel=1e-4)


def test_two_processes_are_one_with_accumulation(tmp_path: Path) -> None:
    """DDP: each batch of the pair on a process of its own gives the weights of both on one."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    train(write_recipe(one, steps=4, optimizer="accumulation = 2"), say=silent)
    path = write_recipe(two, steps=4)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    code = (
        "from pathlib import Path\nfrom lsr.training.run import train\n"
        f"train(Path({str(path)!r}), say=print, device='cpu')"
    )
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    children = []
    for rank in ("0", "1"):
        environment = {**os.environ, **common, "RANK": rank, "LOCAL_RANK": rank, "ACCELERATE_USE_CPU": "true"}
        children.append(subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE))
    for child in children:
        _, error = child.communicate(timeout=200)
        assert child.returncode == 0, error.decode()[-3000:]
    from safetensors.torch import load_file

    states = [load_file(folder / "run" / "model" / "model.safetensors") for folder in (one, two)]
    start = load_file(one / "student" / "model.safetensors")
    # AdamW makes much of gradients that are next to nothing, so weights are compared by how far they went.
    moved = sum(float((states[0][name] - tensor).abs().sum()) for name, tensor in start.items())
    apart = sum(float((states[0][name] - states[1][name]).abs().sum()) for name in start)
    assert apart < 0.03 * moved


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lsr.training.losses.infonce import InfoNCE

    path = write_recipe(tmp_path, steps=8)
    plain = InfoNCE.__call__
    calls = []

    def spoiled(self: InfoNCE, scores: Any) -> torch.Tensor:
        calls.append(1)
        return plain(self, scores) * (float("nan") if len(calls) > 5 else 1.0)

    monkeypatch.setattr(InfoNCE, "__call__", spoiled)
    with pytest.raises(DivergedError, match="loss_infonce is nan"):
        train(path, say=silent)
    checkpoint = last_complete(tmp_path / "run")
    assert checkpoint == tmp_path / "run" / "checkpoint-4"
    assert not (tmp_path / "run" / "model").exists()
    assert load_encoder(str(checkpoint), settings={"max_length": 24}).encode_documents(["moon"]).nnz > 0


def test_diagnosis_says_what_to_change() -> None:
    healthy = {"loss_kl": 1.0, "terms": 150.0, "score_spread": 2.0}
    diagnose(healthy, 10, 30522, risen=True)
    for figures, risen, said in (
        ({**healthy, "terms": 0.2}, True, "λ is too high"),
        ({**healthy, "terms": 0.2}, False, "logits are too low"),
        ({**healthy, "terms": 9000.0}, True, "λ is too low"),
        ({**healthy, "terms": 29000.0}, False, "scale of the head's logits is wrong"),
        ({**healthy, "score_spread": 0.0}, True, "all alike"),
        ({**healthy, "loss_kl": float("inf")}, True, "loss_kl is inf"),
    ):
        with pytest.raises(DivergedError, match=said):
            diagnose(figures, 10, 30522, risen=risen)


def test_a_new_head_finds_texts_by_their_own_words(tmp_path: Path) -> None:
    said: list[str] = []
    train(write_recipe(tmp_path, steps=1, student='head = "calibrated"'), say=said.append)
    line = next(line for line in said if line.startswith("head: calibrated"))
    assert float(line.rpartition("own ")[2]) > 0.3


def test_a_body_without_a_head_is_not_kept(tmp_path: Path) -> None:
    path = write_recipe(tmp_path, steps=1, more=TEACHERS)
    path.write_text(path.read_text().replace('checkpoint = "student"', 'checkpoint = "teacher"'))
    with pytest.raises(RecipeError, match="no masked-LM head of its own"):
        train(path, say=silent)


def test_vocabularies_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = write_recipe(tmp_path, steps=1)
    file = tmp_path / "student" / "tokenizer.json"
    record = json.loads(file.read_text())
    record["model"]["vocab"]["another"] = len(record["model"]["vocab"])
    file.write_text(json.dumps(record))
    with pytest.raises(TrainingError, match="has 76 tokens, its model 75"):
        train(path, say=silent)


def test_texts_longer_than_the_student_reads_are_refused_before_anything_is_prepared(tmp_path: Path) -> None:
    path = write_recipe(tmp_path)
    with pytest.raises(InvalidSettingError, match=r"max_length is 65, .* between 3 and 64 tokens"):
        train(path, say=silent, overrides={"student.max_length": 65})
    assert not (tmp_path / "cache").exists()


def test_a_neural_query_side_learns_too(tmp_path: Path) -> None:
    path = write_recipe(tmp_path, steps=12, log_steps=2, student='queries = "neural"')
    trained = train(path, say=silent)
    log = log_of(tmp_path / "run")
    assert log[12] < log[2]
    assert not (trained.model / "idf.json").exists()


def steered(tmp_path: Path, control: Any, warmup: float = 0.0) -> Any:
    """An objective of 100 steps without losses, in which only the controller does something."""
    from encoder_checkpoints import save_checkpoint

    from lsr.training.objective import Objective
    from lsr.training.student import load_student

    student = load_student(
        save_checkpoint(tmp_path),
        head="keep",
        idf=np.ones(75, np.float32),
        trainable_idf=False,
        special_ids=(0,),
        seed=0,
    )
    return Objective(student, [], [], control, steps=100, warmup=warmup)


@pytest.mark.parametrize(("target", "end"), [(30, 4.0), (50, 1.0), (80, 0.25)])
def test_the_controller_moves_lambda_towards_its_target(tmp_path: Path, target: int, end: float) -> None:
    from lsr.training.recipe import Controller

    control = Controller(terms=target, rate=0.1, least=0.25, most=4.0, start=0.5)
    objective = steered(tmp_path, control, warmup=0.4)
    documents = torch.zeros(4, 75)
    documents[:, 10:60] = 1.0  # 50 terms
    batch = {"columns": torch.tensor([12, 70])}
    factors = []
    for _ in range(100):
        factors.append(float(objective._factor()))
        objective._observe(documents, torch.ones(3, 2), batch)
    assert factors[20] == pytest.approx(0.25)  # (20 / 40)^2: λ rises quadratically
    assert factors[40] == factors[50] == 1.0
    assert factors[-1] == pytest.approx(end)
    assert objective.figures() == {}  # no loss was taken


@pytest.mark.parametrize(
    ("terms", "flops", "start", "end"),
    [
        (30, 0.0, 1.0, 0.25),  # under the floor
        (30, 0.1, 1.0, 0.25),  # and above a ceiling: the floor goes first
        (30, 0.1, 3.0, 0.25),  # from above 1 too
        (50, 0.0, 1.0, 1.0),  # between the two nothing moves
        (50, 0.0, 0.3, 1.0),  # and what was moved comes back to the recipe's own λ
        (50, 0.0, 3.0, 1.0),
        (70, 0.0, 1.0, 4.0),  # above the ceiling
        (70, 0.0, 0.3, 4.0),
    ],
)
def test_a_floor_lowers_lambda_only_under_it(
    tmp_path: Path, terms: int, flops: float, start: float, end: float
) -> None:
    from lsr.training.recipe import Controller

    control = Controller(terms=60, terms_least=40, flops=flops, rate=0.1, least=0.25, most=4.0, start=0.0)
    objective = steered(tmp_path, control)
    objective.state[1] = start
    documents = torch.zeros(4, 75)
    documents[:, 1 : 1 + terms] = 1.0
    for _ in range(100):
        objective._observe(documents, torch.ones(3, 2), {"columns": torch.tensor([12, 14])})
    assert float(objective._factor()) == pytest.approx(end)


def test_a_floor_with_a_bias_rate_lifts_the_biases_and_leaves_lambda_alone(tmp_path: Path) -> None:
    from lsr.training.recipe import Controller

    control = Controller(terms=60, terms_least=40, bias_rate=0.25, rate=0.1, least=1.0, most=4.0, start=0.0)
    objective = steered(tmp_path, control)
    student = objective.student
    before = student.bias.detach().clone()
    documents = torch.zeros(4, 75)
    documents[:, 1:31] = 1.0  # 30 terms
    asked = torch.ones(3, 2), {"columns": torch.tensor([12, 14])}
    objective.lift()  # nothing is known yet
    for _ in range(2):
        objective._observe(documents, *asked)
        objective.lift()
    assert torch.equal(student.bias, before + 0.5)
    assert float(objective._factor()) == 1.0
    objective.state[2] = 50.0  # between floor and ceiling
    objective.lift()
    objective.eval()
    objective.state[2] = 30.0
    objective.lift()  # not while it is evaluated
    assert torch.equal(student.bias, before + 0.5)
    objective.train()
    objective.state[2] = 70.0
    for _ in range(100):
        objective._observe(torch.ones(4, 75), *asked)
    assert float(objective._factor()) == 4.0


def test_a_floor_above_its_ceiling_is_refused() -> None:
    from lsr.errors import InvalidSettingError
    from lsr.training.recipe import Controller

    Controller(terms_least=40.0)
    Controller(terms_least=40.0, bias_rate=0.1, least=1.0)
    for wrong in ({"terms": 30.0}, {"least": 1.0}):
        with pytest.raises(InvalidSettingError, match="terms_least is 40"):
            Controller(terms_least=40.0, **wrong)
    with pytest.raises(InvalidSettingError, match="bias_rate is"):
        Controller(bias_rate=0.1)


def test_a_dry_run_reads_everything_and_keeps_nothing(tmp_path: Path) -> None:
    path = write_recipe(tmp_path, **FULL)
    before = sorted(tmp_path.rglob("*"))
    said: list[str] = []
    dry_run(path, say=said.append)
    assert sorted(tmp_path.rglob("*")) == before
    assert "data: pairs: 120 rows are in order" in said
    assert any(line.startswith("held out: mrr") for line in said)
    with (tmp_path / "pairs.jsonl").open("a") as file:
        file.write('{"query": "moon"}\n')
    with pytest.raises(TrainingError, match="line 121"):
        dry_run(path, say=silent)


def test_checkpoints_are_marked_when_they_are_whole(tmp_path: Path) -> None:
    train(write_recipe(tmp_path, steps=4), say=silent)
    kept = sorted((tmp_path / "run").glob("checkpoint-*"))
    assert [path.name for path in kept] == ["checkpoint-2", "checkpoint-4"]
    assert all((path / COMPLETE).is_file() for path in kept)
