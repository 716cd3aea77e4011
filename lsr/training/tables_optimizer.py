"""The table of a recipe that says how weights are updated.

Knows names, meanings and legal values.
"""

from __future__ import annotations

from dataclasses import dataclass

from lsr.training.tables import check_values

#: Schedules that need nothing but the steps and the warm-up.
SCHEDULES = (
    "linear",
    "cosine",
    "cosine_with_restarts",
    "polynomial",
    "constant",
    "constant_with_warmup",
    "inverse_sqrt",
)


@dataclass(frozen=True, slots=True)
class Optimizer:
    """AdamW and its schedule.

    Parameters
    ----------
    steps : int
        Updates of the weights.
    learning_rate, head_learning_rate : float
        Of the body, and of the masked-LM head (0: the same).
    schedule : str
        Of the learning rate, as transformers calls it: one of `SCHEDULES`.
    warmup : float
        Share of the steps over which the learning rate rises.
    regularizer_warmup : float
        Share of the steps over which λ rises quadratically.
    weight_decay, beta1, beta2 : float
    clip : float
        Longest gradient, others are shortened to it; 0 for none.
    accumulation : int
        Batches of one update.
    precision : "auto", "bf16" or "fp32"
        auto: bf16 on a GPU that has it.
    chunk_documents : int
        Documents that are encoded at a time, sorted by length; 0: the whole batch at once.
    gradient_cache : bool
        Encode each chunk twice and keep only its vectors in between (Gao et al. 2021): a batch of any size in the
        memory of a chunk, so that it needs `chunk_documents`.
    head_backend : "auto", "torch" or "triton"
        How the masked-LM head is computed (`lsr.encoders.fused_head`).
    compile : bool
        Compile the layers of a BERT (`lsr.encoders.packed`): the first step takes a minute, each later one less.
    """

    steps: int
    learning_rate: float = 2e-5
    head_learning_rate: float = 0.0
    schedule: str = "linear"
    warmup: float = 0.05
    regularizer_warmup: float = 0.33
    weight_decay: float = 0.01
    beta1: float = 0.9
    beta2: float = 0.999
    clip: float = 1.0
    accumulation: int = 1
    precision: str = "auto"
    chunk_documents: int = 0
    gradient_cache: bool = False
    head_backend: str = "auto"
    compile: bool = False

    def __post_init__(self) -> None:
        check_values(
            "optimizer",
            steps=(self.steps, self.steps >= 1, "1 or more"),
            learning_rate=(self.learning_rate, self.learning_rate > 0, "above 0"),
            head_learning_rate=(self.head_learning_rate, self.head_learning_rate >= 0, "0 or more"),
            schedule=(self.schedule, self.schedule in SCHEDULES, f"one of {', '.join(SCHEDULES)}"),
            weight_decay=(self.weight_decay, self.weight_decay >= 0, "0 or more"),
            beta1=(self.beta1, 0 <= self.beta1 < 1, "0 or more and below 1"),
            beta2=(self.beta2, 0 <= self.beta2 < 1, "0 or more and below 1"),
            clip=(self.clip, self.clip >= 0, "0 or more"),
            warmup=(self.warmup, 0 <= self.warmup <= 1, "within 0 and 1"),
            regularizer_warmup=(self.regularizer_warmup, 0 <= self.regularizer_warmup <= 1, "within 0 and 1"),
            accumulation=(self.accumulation, self.accumulation >= 1, "1 or more"),
            precision=(self.precision, self.precision in ("auto", "bf16", "fp32"), "auto, bf16 or fp32"),
            head_backend=(self.head_backend, self.head_backend in ("auto", "torch", "triton"), "auto, torch or triton"),
            chunk_documents=(
                self.chunk_documents,
                self.chunk_documents >= (1 if self.gradient_cache else 0),
                "0 or more, and 1 or more with gradient_cache",
            ),
        )
