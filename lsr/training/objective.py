"""The objective: ranking losses and regularisers of a recipe over a student, with λ's schedule and its controller.

Knows how one number comes about, and keeps the figures that tell how the model is doing. Knows nothing of optimisers
or files. The controller's state lies in buffers, so that it is saved and shared like weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from lsr.training.losses import BatchScores, Loss
from lsr.training.recipe import Controller
from lsr.training.regularizers import Batch, Regularizer
from lsr.training.student import Student

#: Weight of the newest batch in running means.
_NEW = 0.02


class Objective(torch.nn.Module):
    """Batch in, loss out.

    Parameters
    ----------
    student : Student
    losses : sequence of (name, weight, Loss)
    regularizers : sequence of (name, λ, Regularizer)
    controller : Controller
    steps : int
        Batches that the run has in all (on one device).
    warmup : float
        Share of them over which λ rises quadratically: λ·(t/T)², the schedule of SPLADE.
    idf : float32 tensor of shape (V,), optional
        What regularisers see as idf; by default what tokens weigh in the student's queries.
    """

    state: torch.Tensor
    document_frequency: torch.Tensor
    penalty_idf: torch.Tensor | None

    def __init__(
        self,
        student: Student,
        losses: Sequence[tuple[str, float, Loss]],
        regularizers: Sequence[tuple[str, float, Regularizer]],
        controller: Controller,
        steps: int,
        warmup: float,
        idf: torch.Tensor | None = None,
    ) -> None:
        super().__init__()
        self.student = student
        self._losses, self._regularizers, self._controller = list(losses), list(regularizers), controller
        self._warmup = max(1.0, warmup * steps)
        self._steps = steps
        # step, factor, running terms and FLOPS
        self.register_buffer("state", torch.tensor([0.0, 1.0, 0.0, 0.0], dtype=torch.float64))
        self.register_buffer("document_frequency", torch.zeros(len(student.kept)))
        self.register_buffer("penalty_idf", idf, persistent=False)
        self._sums: dict[str, torch.Tensor] = {}
        self._count = 0

    # -- one batch ------------------------------------------------------------------------------------------------

    def forward(self, **batch: Any) -> dict[str, torch.Tensor]:
        """The loss of a batch as `collated` makes it (with `teacher` where there is one)."""
        self.lift()
        parts = [self.student.weights(ids, mask) for ids, mask in batch["chunks"]]
        return {"loss": self.loss(torch.cat(parts), batch)}

    def loss(self, sorted_documents: torch.Tensor, batch: Mapping[str, Any]) -> torch.Tensor:
        """The loss given the chunks' vectors one after another, (D, V), as `chunks` orders the documents."""
        student = self.student
        asked = batch["queries"]
        if not student.inference_free:
            asked = student.weights(batch["query_ids"], batch["query_mask"])
        with torch.autocast(sorted_documents.device.type, enabled=False):
            documents = sorted_documents.float()[batch["order"]]
            idf = student.idf()
            if student.inference_free:
                columns = batch["columns"]
                scores = (asked * idf[columns]) @ documents[:, columns].T
            else:
                asked = asked.float()
                scores = asked @ documents.T
            view = BatchScores(scores, batch["own"], batch["same"], batch.get("teacher"))
            parts = {name: weight * loss(view) for name, weight, loss in self._losses}
            if self.training:
                self._observe(documents, asked, batch)
            factor = self._factor()
            seen = idf if self.penalty_idf is None else self.penalty_idf
            weights = Batch(documents, asked, batch["lengths"], seen, self.document_frequency, batch["groups"])
            for name, penalty, regularizer in self._regularizers:
                parts[name] = penalty * factor * regularizer(weights)
            loss = torch.stack(list(parts.values())).sum()
        if self.training:
            self._count_parts(loss, parts, scores, view.teacher)
        return loss

    # -- λ, and the floor under it --------------------------------------------------------------------------------

    @torch.no_grad()
    def lift(self) -> None:
        """Raise every bias by `controller.bias_rate` while the running terms are under the floor; before a batch's
        vectors are computed. It answers to the state alone, which all processes share.
        """
        control = self._controller
        if self.training and control.bias_rate:
            step, terms = self.state[0], self.state[2]
            under = (step > 0) & (terms < control.terms_least)
            self.student.bias.add_(under.to(self.student.bias.dtype) * control.bias_rate)

    def _factor(self) -> torch.Tensor:
        step, factor = self.state[0], self.state[1]
        ramp = (step / self._warmup).clamp(max=1.0).square()
        return (ramp * factor).float()

    @torch.no_grad()
    def _observe(self, documents: torch.Tensor, asked: torch.Tensor, batch: Mapping[str, Any]) -> None:
        """Move the running figures, and the factor towards the targets."""
        active = documents > 0
        shares = active.float().mean(0)
        terms = shares.sum()
        if self.student.inference_free:
            flops = (asked.mean(0) * shares[batch["columns"]]).sum()
        else:
            flops = ((asked > 0).float().mean(0) * shares).sum()
        state = self.state
        first = state[0] == 0
        new = torch.where(first, 1.0, _NEW)
        self.document_frequency.lerp_(shares, float(_NEW))
        state[2].lerp_(terms.double(), new)
        state[3].lerp_(flops.double(), new)
        begun = state[0] >= self._controller.start * self._steps
        state[1].copy_(torch.where(begun, self._steered(), state[1]))
        state[0] += 1
        self._add(
            terms=terms, flops=flops, query_terms=(asked > 0).float().sum(1).mean(), ubiquitous=(shares > 1 / 3).sum()
        )

    def _steered(self) -> torch.Tensor:
        """The factor after one more step."""
        control, (_, factor, terms, flops) = self._controller, self.state.unbind()

        def moved(excess: torch.Tensor) -> torch.Tensor:
            return factor * (1 + control.rate * (4 * excess.log()).clamp(-1, 1)).clamp(min=1e-3)

        over = [now / target for now, target in ((terms, control.terms), (flops, control.flops)) if target]
        capped = moved(torch.stack(over).max()) if over else factor
        if not control.terms_least or control.bias_rate:
            return capped.clamp(control.least, control.most) if over else factor
        # Two halves that meet at 1: below it the floor is what is steered for, above it the ceilings.
        under = terms < control.terms_least
        raised = moved(terms / control.terms_least)
        capped = torch.where(under, raised, capped)  # whatever a ceiling says
        below = (factor < 1) | ((factor == 1) & under)
        return torch.where(below, raised.clamp(control.least, 1.0), capped.clamp(1.0, control.most))

    # -- figures --------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def _count_parts(
        self, loss: torch.Tensor, parts: Mapping[str, torch.Tensor], scores: torch.Tensor, teacher: torch.Tensor | None
    ) -> None:
        figures = {f"loss_{name}": part for name, part in parts.items()}
        figures["score_spread"] = scores.std(1).mean()
        if teacher is not None:
            known = teacher.nan_to_num(nan=float("-inf"))
            figures["agreement"] = (known.argmax(1) == scores.argmax(1)).float().mean()
        self._add(objective=loss, lambda_factor=self._factor(), **figures)
        self._count += 1

    def _add(self, **figures: torch.Tensor) -> None:
        for name, value in figures.items():
            value = value.detach().float()
            self._sums[name] = value if name not in self._sums else self._sums[name] + value

    def figures(self) -> dict[str, float]:
        """Means since the last call; this waits for the device."""
        if not self._count:
            return {}
        found = {name: float(value) / self._count for name, value in self._sums.items()}
        self._sums, self._count = {}, 0
        return found
