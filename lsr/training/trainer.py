"""A thin subclass of transformers' Trainer: our batches in order, our checkpoints, our figures in the log.

Everything else (mixed precision, accumulation, DDP, schedules, clipping, resuming) is transformers'.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import SequentialSampler
from transformers import PrinterCallback, Trainer, TrainingArguments

from lsr.encoders.families.models import read_tensors
from lsr.errors import DivergedError, RecipeError
from lsr.training.checkpoints import COMPLETE
from lsr.training.diagnosis import diagnose
from lsr.training.log import append_log
from lsr.training.objective import Objective
from lsr.training.recipe import Optimizer, Recipe

_OBJECTIVE = "objective.safetensors"

Say = Callable[[str], None]
Evaluate = Callable[[], dict[str, float]]


def arguments(recipe: Recipe, *, output: Path, device: str | None = None) -> TrainingArguments:
    """transformers' arguments of a recipe.

    Parameters
    ----------
    recipe : Recipe
    output : Path
    device : "cpu" or None
        None: a GPU where there is one.
    """
    run, optimizer = recipe.run, recipe.optimizer
    cuda = device != "cpu" and torch.cuda.is_available()
    precise = optimizer.precision == "fp32" or (
        optimizer.precision == "auto" and not (cuda and torch.cuda.is_bf16_supported())
    )
    return TrainingArguments(
        output_dir=str(output),
        max_steps=optimizer.steps,
        per_device_train_batch_size=1,  # an item of the dataset is a whole batch
        gradient_accumulation_steps=optimizer.accumulation,
        learning_rate=optimizer.learning_rate,
        lr_scheduler_type=optimizer.schedule,
        warmup_steps=round(optimizer.warmup * optimizer.steps),
        weight_decay=optimizer.weight_decay,
        adam_beta1=optimizer.beta1,
        adam_beta2=optimizer.beta2,
        max_grad_norm=optimizer.clip,
        bf16=not precise,
        use_cpu=not cuda,
        seed=run.seed,
        data_seed=run.seed,
        logging_steps=run.log_steps,
        logging_nan_inf_filter=False,
        save_steps=run.save_steps,
        save_total_limit=max(2, run.keep),  # the last complete one stays while the next is written
        dataloader_num_workers=run.workers,
        dataloader_prefetch_factor=4 if run.workers else None,
        dataloader_pin_memory=cuda,
        remove_unused_columns=False,
        report_to=[],
        disable_tqdm=True,
        ddp_find_unused_parameters=False,
    )


class SparseTrainer(Trainer):
    """Trains an `Objective`.

    Parameters
    ----------
    objective : Objective
    dataset : BatchDataset
    args : TrainingArguments
    recipe : Recipe
    say : callable
        Gets a line for each entry of the log.
    evaluate : callable, optional
        Figures of the held-out queries.
    judged : callable, optional
        Figures of judged collections; asked for on the first process only.
    """

    def __init__(
        self,
        objective: Objective,
        dataset: Any,
        args: TrainingArguments,
        recipe: Recipe,
        *,
        say: Say,
        evaluate: Evaluate | None = None,
        judged: Evaluate | None = None,
    ) -> None:
        self._recipe, self._say, self._held_out, self._judged = recipe, say, evaluate, judged
        self._objective = objective
        self._output = Path(args.output_dir or ".")
        super().__init__(model=objective, args=args, train_dataset=dataset, data_collator=_only)
        self.remove_callback(PrinterCallback)
        # The loss of a batch is a mean over its queries: accumulated batches are averaged.
        self.model_accepts_loss_kwargs = False
        self.loss_is_scaled_for_ga = False
        self._clock = (time.perf_counter(), 0)
        if recipe.optimizer.gradient_cache and args.world_size > 1:
            raise RecipeError(
                "optimizer.gradient_cache works on one device", remedy="Use optimizer.accumulation on several"
            )

    # -- data and loss --------------------------------------------------------------------------------------------

    def _get_train_sampler(self, train_dataset: Any = None) -> SequentialSampler:
        dataset: Any = self.train_dataset if train_dataset is None else train_dataset
        return SequentialSampler(dataset)

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        outputs = model(**inputs)
        return (outputs["loss"], outputs) if return_outputs else outputs["loss"]

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> torch.Tensor:
        if not self._recipe.optimizer.gradient_cache:
            found: torch.Tensor = super().training_step(model, inputs, num_items_in_batch)
            return found
        return self._cached_step(self._prepare_inputs(inputs))

    def _cached_step(self, inputs: dict[str, Any]) -> torch.Tensor:
        """Gradient cache: the vectors' gradients first, then those of the weights chunk by chunk."""
        objective = self._objective
        objective.train()
        objective.lift()
        with torch.no_grad(), self.compute_loss_context_manager():
            parts = [objective.student.weights(ids, mask) for ids, mask in inputs["chunks"]]
        sizes = [len(part) for part in parts]
        vectors = torch.cat(parts).detach().requires_grad_()
        with self.compute_loss_context_manager():
            loss = objective.loss(vectors, inputs) / self.current_gradient_accumulation_steps
        self.accelerator.backward(loss)
        assert vectors.grad is not None
        for (ids, mask), gradient in zip(inputs["chunks"], torch.split(vectors.grad, sizes), strict=True):
            with self.compute_loss_context_manager():
                part = objective.student.weights(ids, mask)
            self.accelerator.backward((part * gradient).sum())
        return loss.detach()

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        if self.optimizer is None:
            self.optimizer = torch.optim.AdamW(
                parameter_groups(self._objective, self._recipe),
                lr=self.args.learning_rate,
                betas=(self.args.adam_beta1, self.args.adam_beta2),
                fused=self.args.device.type == "cuda",
            )
        optimizer: torch.optim.Optimizer = self.optimizer
        return optimizer

    # -- checkpoints ----------------------------------------------------------------------------------------------

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        from safetensors.torch import save_file

        if not self.args.should_save:
            return
        for name, parameter in self._objective.named_parameters():
            if not bool(parameter.isfinite().all()):
                raise DivergedError(
                    f"at step {self.state.global_step} {name} is not finite: no checkpoint is written",
                    remedy="Resume from the last one with a lower learning rate, or with precision fp32",
                )
        folder = Path(output_dir or self._output)
        objective = self._objective
        objective.student.save(folder)
        state = {"state": objective.state, "document_frequency": objective.document_frequency}
        if objective.student.inference_free and objective.student.idf_shift is not None:
            state["idf_shift"] = objective.student.idf_shift
        save_file({name: tensor.detach().cpu() for name, tensor in state.items()}, folder / _OBJECTIVE)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        super()._save_checkpoint(model, trial)
        if self.args.should_save:
            folder = self._output / f"checkpoint-{self.state.global_step}"
            (folder / COMPLETE).write_text("")

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        folder = Path(resume_from_checkpoint)
        self._objective.student.restore(folder)
        state = read_tensors(folder / _OBJECTIVE)
        with torch.no_grad():
            self._objective.state.copy_(state["state"])
            self._objective.document_frequency.copy_(state["document_frequency"])
            if "idf_shift" in state:
                self._objective.student.idf_shift.copy_(state["idf_shift"])

    # -- figures --------------------------------------------------------------------------------------------------

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        step = self.state.global_step
        figures = self._objective.figures()
        logs = {**logs, **{name: round(value, 6) for name, value in figures.items()}}
        if figures:
            optimizer = self._recipe.optimizer
            now, before = time.perf_counter(), self._clock
            done = step - before[1]
            batch = self._recipe.batch_documents * optimizer.accumulation * self.args.world_size
            logs["documents_per_second"] = round(done * batch / max(now - before[0], 1e-9), 1)
            self._clock = (now, step)
            if self.args.device.type == "cuda":
                logs["peak_gib"] = round(torch.cuda.max_memory_allocated() / 2**30, 2)
        every = self._recipe.run.evaluate_steps
        if figures and every and step % every == 0 and self._held_out is not None:
            logs.update(self._held_out())
            self._clock = (time.perf_counter(), step)
        every = self._recipe.evaluate.steps
        if figures and every and step % every == 0 and self._judged is not None and self.args.process_index == 0:
            logs.update({name: round(value, 6) for name, value in self._judged().items()})
            self._clock = (time.perf_counter(), step)
        super().log(logs, start_time)
        if self.args.should_save:
            append_log(self._output, step, logs)
            if figures:
                self._say(_line(step, logs))
        risen = step >= self._recipe.optimizer.regularizer_warmup * self._recipe.optimizer.steps
        diagnose(figures, step, len(self._objective.student.kept), risen=risen)


def parameter_groups(objective: Objective, recipe: Recipe) -> list[dict[str, Any]]:
    """AdamW's groups: head and body with rates of their own, no decay of biases, norms and idf."""
    optimizer: Optimizer = recipe.optimizer
    groups: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
    head = optimizer.head_learning_rate or optimizer.learning_rate
    base = getattr(objective.student.network, "base_model", objective.student.network)
    body = {id(parameter) for parameter in base.parameters()}
    for name, parameter in objective.named_parameters():
        if not parameter.requires_grad:
            continue
        if name.endswith("idf_shift"):
            rate = recipe.idf.learning_rate
        else:
            rate = optimizer.learning_rate if id(parameter) in body else head
        decay = optimizer.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return [{"params": found, "lr": rate, "weight_decay": decay} for (rate, decay), found in groups.items()]


def _only(batches: list[Any]) -> Any:
    """The one batch of a list of one."""
    return batches[0]


def _line(step: int, logs: dict[str, float]) -> str:
    wanted = (
        ("objective", "loss", ".4f"),
        ("terms", "terms", ".0f"),
        ("query_terms", "query terms", ".1f"),
        ("flops", "FLOPS", ".2f"),
        ("ubiquitous", "ubiquitous", ".0f"),
        ("lambda_factor", "λ ×", ".2f"),
        ("agreement", "agreement", ".3f"),
        ("score_spread", "spread", ".2f"),
        ("documents_per_second", "documents/s", ",.0f"),
        ("heldout_mrr", "held-out MRR@10", ".4f"),
        ("heldout_terms", "terms", ".0f"),
        ("heldout_flops", "FLOPS", ".2f"),
    )
    parts = [f"{label} {logs[name]:{form}}" for name, label, form in wanted if name in logs]
    losses = [f"{name[5:]} {value:.4f}" for name, value in logs.items() if name.startswith("loss_")]
    parts += [f"{name[7:].replace('_', ' ')} {value:.4g}" for name, value in logs.items() if name.startswith("judged_")]
    return f"step {step}: " + ", ".join(parts) + (f" ({', '.join(losses)})" if losses else "")
