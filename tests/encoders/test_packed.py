"""A packed batch gives what the padded one does: states, and gradients of every parameter."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from lsr.encoders.head import SplitModel  # noqa: E402
from lsr.encoders.packed import packable, packed_states  # noqa: E402


def _model() -> Any:
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=97, hidden_size=32, num_hidden_layers=3, num_attention_heads=4, intermediate_size=64,
        max_position_embeddings=40, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    return transformers.BertForMaskedLM(config)


def _batch(lengths: list[int], width: int, *, scattered: bool = False) -> tuple[Any, Any]:
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(1, 97, (len(lengths), width), generator=generator)
    mask = torch.zeros(len(lengths), width, dtype=torch.bool)
    for row, length in enumerate(lengths):
        if scattered:
            mask[row, torch.randperm(width, generator=generator)[:length]] = True
        else:
            mask[row, :length] = True
    return ids, mask


@pytest.mark.parametrize("scattered", [False, True])
@pytest.mark.parametrize("lengths", [[5, 1, 40, 17], [40], [3, 3, 3]])
def test_packed_states_equal_padded_ones(lengths: list[int], scattered: bool) -> None:
    ids, mask = _batch(lengths, max(lengths), scattered=scattered)
    padded, packed = _model(), _model()
    split = SplitModel(padded)
    assert packable(packed)
    wanted = split.states(ids, mask.long())
    found = packed_states(packed, ids, mask)
    assert found.shape == wanted.shape
    torch.testing.assert_close(found[mask], wanted[mask], atol=2e-6, rtol=1e-5)
    assert (found[~mask] == 0).all()
    factor = torch.randn(found.shape, generator=torch.Generator().manual_seed(2)) * mask[..., None]
    (wanted * factor).sum().backward()
    (found * factor).sum().backward()
    gradients = dict(packed.named_parameters())
    for name, parameter in padded.named_parameters():
        if parameter.grad is not None:
            assert gradients[name].grad is not None, name
            torch.testing.assert_close(gradients[name].grad, parameter.grad, atol=5e-6, rtol=1e-4)


def test_a_text_without_tokens_disturbs_nothing() -> None:
    ids, mask = _batch([4, 0, 6], 6)
    found = packed_states(_model(), ids, mask)
    assert found.isfinite().all()
    assert (found[1] == 0).all()
    alone = packed_states(_model(), ids[2:], mask[2:])
    torch.testing.assert_close(found[2:], alone, atol=2e-6, rtol=1e-5)


def test_what_is_no_bert_is_not_packable() -> None:
    config = transformers.DistilBertConfig(vocab_size=97, dim=32, n_layers=1, n_heads=4, hidden_dim=64)
    assert not packable(transformers.DistilBertForMaskedLM(config))
    decoder = transformers.BertConfig(
        vocab_size=97, hidden_size=32, num_hidden_layers=1, num_attention_heads=4, intermediate_size=64, is_decoder=True
    )
    assert not packable(transformers.BertForMaskedLM(decoder))


@pytest.mark.filterwarnings("ignore")  # the compiler of torch warns about itself
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on a CPU")
def test_compiled_layers_change_nothing() -> None:
    """One compilation for all layers and all batches."""
    model = _model()
    for lengths in ([5, 9], [12, 3, 7], [4]):
        ids, mask = _batch(lengths, max(lengths))
        found = packed_states(model, ids, mask, compiled=True)
        torch.testing.assert_close(found, packed_states(model, ids, mask), atol=2e-6, rtol=1e-5)
    torch.autograd.backward(found.square().sum())
    assert model.bert.encoder.layer[0].intermediate.dense.weight.grad.isfinite().all()
