"""Each family against its formula, on small models with random weights."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from encoder_checkpoints import VOCABULARY, save_checkpoint, small_config, small_tokenizer

from lsr.encoders.idf import inverse_document_frequency
from lsr.encoders.neural import NeuralEncoder
from lsr.encoders.registry import load_encoder
from lsr.encoders.terms import InMemoryTerms
from lsr.errors import CorruptionError, EncoderError, InvalidSettingError
from lsr.text.wordpiece import WordPieceTokenizer

TEXTS = ["the moon pulls the sea", "", "a", "bread, ice; the moon was in the bridge of the sea"]


def small_body(kind: str = "bert") -> Any:
    """An encoder without a head, with random weights large enough that terms differ."""
    from transformers import AutoModel

    torch.manual_seed(5)
    model = AutoModel.from_config(small_config(kind))  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" not in name.lower():
                parameter.copy_(torch.randn_like(parameter) * 0.3)
    return model.eval()


def head(*widths: int) -> dict[str, torch.Tensor]:
    """weight and bias of one layer, or of a Sequential's layers 0, 3, …"""
    generator = torch.Generator().manual_seed(9)
    layers: dict[str, torch.Tensor] = {}
    for number, (read, written) in enumerate(itertools.pairwise(widths)):
        place = "" if len(widths) == 2 else f"{3 * number}."
        layers[f"{place}weight"] = torch.randn(written, read, generator=generator)
        layers[f"{place}bias"] = torch.randn(written, generator=generator)
    return layers


def states(model: Any, text: str) -> tuple[list[int], torch.Tensor]:
    """Token ids with special ones, and the last hidden states, of one text alone."""
    tokenizer = WordPieceTokenizer(small_tokenizer())
    ids = tokenizer.inputs([text], 60)[0]
    with torch.inference_mode():
        return ids, model(input_ids=torch.tensor([ids])).last_hidden_state[0]


def pooled(ids: list[int], weights: torch.Tensor, pooling: str) -> dict[int, float]:
    row: dict[int, float] = {}
    for token, weight in zip(ids, weights.tolist(), strict=True):
        if token >= 5 and weight > 0:
            row[token] = max(row.get(token, 0.0), weight) if pooling == "max" else row.get(token, 0.0) + weight
    return row


def assert_rows(found: Any, expected: list[dict[int, float]]) -> None:
    for ours, theirs in zip(found.to_dicts(), expected, strict=True):
        assert ours == pytest.approx(theirs, abs=1e-5)


def write(folder: Path, state: dict[str, torch.Tensor], config: Any, **changes: object) -> Path:
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous().clone() for name, tensor in state.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({**config.to_dict(), **changes}))
    small_tokenizer().save(str(folder / "tokenizer.json"))
    return folder


def prefixed(prefix: str, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {prefix + name: tensor for name, tensor in state.items()}


# -- token weights ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["castorini", "coil"])
def test_unicoil(tmp_path: Path, layout: str) -> None:
    """relu(w·h + b); documents take the maximum of a token's positions, queries the sum."""
    model, layer = small_body(), head(16, 1)
    if layout == "castorini":
        state = {**prefixed("bert.", model.state_dict()), **prefixed("tok_proj.", layer)}
        folder = write(tmp_path / "m", state, model.config, architectures=["UniCoilEncoder"])
    else:
        folder = write(tmp_path / "m", model.state_dict(), model.config, architectures=["BertModel"])
        torch.save({"tok_proj": layer}, folder / "model.pt")
        torch.save([], folder / "args.pt")
    encoder = NeuralEncoder(str(folder), max_length=60, device="cpu")
    assert "COIL" in encoder.layout.format
    expected: dict[str, list[dict[int, float]]] = {"max": [], "sum": []}
    for text in TEXTS:
        if not text:
            expected["max"].append({})
            expected["sum"].append({})
            continue
        ids, h = states(model, text)
        weights = torch.relu(h @ layer["weight"][0] + layer["bias"])
        for pooling, rows in expected.items():
            rows.append(pooled(ids, weights, pooling))
    assert_rows(encoder.encode_documents(TEXTS), expected["max"])
    assert_rows(encoder.encode_queries(TEXTS), expected["sum"])
    assert expected["max"] != expected["sum"]


def test_bge_m3(tmp_path: Path) -> None:
    """relu(w·h + b), the maximum on both sides, special tokens dropped."""
    model, layer = small_body("roberta"), head(16, 1)
    folder = write(tmp_path / "m", model.state_dict(), model.config, architectures=["RobertaModel"])
    torch.save(layer, folder / "sparse_linear.pt")
    encoder = NeuralEncoder(str(folder), max_length=60, device="cpu")
    expected = []
    for text in TEXTS:
        ids, h = states(model, text) if text else ([], torch.zeros(0, 16))
        expected.append(pooled(ids, torch.relu(h @ layer["weight"][0] + layer["bias"]), "max"))
    assert_rows(encoder.encode_documents(TEXTS), expected)
    assert_rows(encoder.encode_queries(TEXTS), expected)
    before = encoder.fingerprint
    torch.save({**layer, "bias": layer["bias"] + 1}, folder / "sparse_linear.pt")
    assert NeuralEncoder(str(folder), max_length=60).fingerprint != before


def test_a_pickle_with_code_is_refused(tmp_path: Path) -> None:
    import pickle

    model = small_body()
    folder = write(tmp_path / "m", model.state_dict(), model.config, architectures=["BertModel"])
    (folder / "sparse_linear.pt").write_bytes(pickle.dumps({"weight": print}))
    with pytest.raises(CorruptionError, match=r"sparse_linear\.pt is damaged"):
        NeuralEncoder(str(folder), max_length=60, device="cpu").encode_documents(["moon"])


def test_token_level_coil_is_refused(tmp_path: Path) -> None:
    model = small_body()
    state = {**prefixed("bert.", model.state_dict()), **prefixed("tok_proj.", head(16, 32))}
    folder = write(tmp_path / "m", state, model.config, architectures=["UniCoilEncoder"])
    with pytest.raises(EncoderError, match="one number from 16 is wanted"):
        NeuralEncoder(str(folder), max_length=60, device="cpu").encode_documents(["moon"])


@pytest.mark.parametrize("widths", [(16, 1), (16, 16, 1)])
def test_deepimpact(tmp_path: Path, widths: tuple[int, ...]) -> None:
    """The impact of a word is that of the first token of its first occurrence; punctuation has none."""
    model = small_body()
    layers = head(*widths)
    if len(widths) == 2:
        layers = prefixed("0.", layers)
    state = {**prefixed("bert.", model.state_dict()), **prefixed("impact_score_encoder.", layers)}
    folder = write(tmp_path / "m", state, model.config, architectures=["DeepImpact"])
    terms = InMemoryTerms()
    encoder = load_encoder(str(folder), settings={"max_length": 60, "device": "cpu"}, terms=terms)
    text = "the moons, and the sea; moons"
    found = encoder.encode_documents([text, ""])
    words = dict(zip(encoder.words(found[0].terms.tolist()), found[0].weights.tolist(), strict=True))
    ids, h = states(model, text)
    x = h
    for number in range(len(widths) - 1):
        x = torch.nn.functional.linear(x, layers[f"{3 * number}.weight"], layers[f"{3 * number}.bias"]).relu()
    tokens = WordPieceTokenizer(small_tokenizer()).tokens(ids)
    firsts = {
        "the": tokens.index("the"),
        "moons": tokens.index("moon"),
        "and": tokens.index("a"),
        "sea": tokens.index("sea"),
    }
    expected = {word: float(x[place, 0]) for word, place in firsts.items() if x[place, 0] > 0}
    assert words == pytest.approx(expected, abs=1e-5)
    assert found[1].nnz == 0
    query = encoder.query_counts(["Sea, moons & unknown"])
    assert sorted(encoder.words(query.terms.tolist())) == ["moons", "sea"]
    assert {text[span.start : span.end] for span in encoder.spans(text)} == {"the", "moons", "and", "sea"}


# -- over the whole vocabulary ----------------------------------------------------------------------------------------


def test_sparta(tmp_path: Path) -> None:
    """log(1 + relu(max E·h)) with the input embeddings; a query is its tokens."""
    model = small_body()
    folder = write(tmp_path / "m", model.state_dict(), model.config, architectures=["BertModel"])
    with pytest.raises(EncoderError, match="for SPARTA say family=sparta"):
        load_encoder(str(folder))
    encoder = load_encoder(str(folder), settings={"family": "sparta", "max_length": 60, "device": "cpu"})
    table = model.get_input_embeddings().weight.detach()
    expected = np.zeros((len(TEXTS), len(VOCABULARY)), np.float32)
    for row, text in enumerate(TEXTS):
        if text:
            expected[row] = torch.log1p(torch.relu((states(model, text)[1] @ table.T).amax(0))).numpy()
    expected[:, :5] = 0
    np.testing.assert_allclose(encoder.encode_documents(TEXTS).to_dense(), expected, atol=1e-5)
    assert encoder.lexical_queries
    assert load_encoder(str(folder), settings=encoder.settings).fingerprint == encoder.fingerprint


def logits(folder: Path, text: str, kind: str = "AutoModelForMaskedLM") -> torch.Tensor:
    import transformers

    ids = WordPieceTokenizer(small_tokenizer()).inputs([text], 60)[0]
    with torch.inference_mode():
        found: torch.Tensor = getattr(transformers, kind).from_pretrained(folder)(torch.tensor([ids])).logits[0]
    return found


def test_sparterm(tmp_path: Path) -> None:
    """Σ relu(importance) where the token is in the text or the gate's greatest logit is above 0."""
    save_checkpoint(tmp_path / "importance")
    save_checkpoint(tmp_path / "gate", "distilbert")
    record = {"format": "lsr-encoder", "format_version": 1, "document": {"family": "sparterm", "folder": "importance"}}
    (tmp_path / "encoder.json").write_text(json.dumps(record))
    encoder = load_encoder(str(tmp_path), settings={"max_length": 60, "device": "cpu"})
    text = TEXTS[0]
    importance = torch.relu(logits(tmp_path / "importance", text)).sum(0)
    literal = torch.zeros(len(VOCABULARY), dtype=torch.bool)
    literal[WordPieceTokenizer(small_tokenizer()).ids(text)] = True
    gate = literal | (logits(tmp_path / "gate", text).amax(0) > 0)
    expected = (importance * gate).numpy()
    expected[:5] = 0
    np.testing.assert_allclose(encoder.encode_documents([text]).to_dense()[0], expected, rtol=1e-5, atol=1e-4)
    record["document"] = {"family": "sparterm", "folder": "importance", "options": {"expand": False}}
    (tmp_path / "encoder.json").write_text(json.dumps(record))
    only = load_encoder(str(tmp_path), settings={"max_length": 60, "device": "cpu"}).encode_documents([text])
    assert set(only.terms.tolist()) <= set(WordPieceTokenizer(small_tokenizer()).ids(text))


# -- decoder-only -----------------------------------------------------------------------------------------------------


def small_causal(folder: Path) -> Path:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=16,
        intermediate_size=40,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=128,
        tie_word_embeddings=True,
        pad_token_id=0,
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" not in name:
                parameter.copy_(torch.randn_like(parameter) * 0.3)
    model.save_pretrained(folder)
    small_tokenizer().save(str(folder / "tokenizer.json"))
    return folder


def echo_ids(text: str) -> tuple[list[int], int, int]:
    """The ids of ⟨before⟩ text ⟨between⟩ text ⟨after⟩, and where the second copy lies."""
    tokenizer = WordPieceTokenizer(small_tokenizer())
    body = tokenizer.ids(text)
    before = tokenizer.prefix + tokenizer.ids("Document:") + body + tokenizer.ids("\nDocument again:")
    return before + body + tokenizer.suffix, len(before), len(before) + len(body)


def test_echo(tmp_path: Path) -> None:
    """Only the second copy is pooled, and it has seen the whole text."""
    from transformers import AutoModelForCausalLM

    folder = small_causal(tmp_path)
    encoder = load_encoder(str(folder), settings={"max_length": 120, "device": "cpu"})
    expected = np.zeros((len(TEXTS), len(VOCABULARY)), np.float32)
    model = AutoModelForCausalLM.from_pretrained(folder)
    for row, text in enumerate(TEXTS):
        if text:
            ids, start, end = echo_ids(text)
            with torch.inference_mode():
                scores = model(torch.tensor([ids])).logits[0, start:end]
            expected[row] = torch.log1p(torch.relu(scores.amax(0))).numpy()
    expected[:, :5] = 0
    np.testing.assert_allclose(encoder.encode_documents(TEXTS).to_dense(), expected, atol=1e-4)
    assert not encoder.lexical_queries
    assert encoder.encode_queries(TEXTS) != encoder.encode_documents(TEXTS)
    long = encoder.encode_documents(["moon " * 500])
    assert long.nnz > 0


@pytest.mark.parametrize("attention", ["causal", "bidirectional"])
def test_attention_without_echo(tmp_path: Path, attention: str) -> None:
    """A causal model's first position sees nothing of the rest; a bidirectional one's does."""
    small_causal(tmp_path / "model")
    options = {"echo": False, "attention": attention, "logit_scale": 0.5}
    side = {"family": "causal-lm", "folder": "model", "options": options}
    record = {"format": "lsr-encoder", "format_version": 1, "document": side, "max_length": 60}
    (tmp_path / "encoder.json").write_text(json.dumps(record))
    encoder = load_encoder(str(tmp_path), settings={"device": "cpu"})
    network = encoder._loaded(encoder._document)  # type: ignore[attr-defined]
    split = network._split
    firsts = []
    for text in ("moon sea", "moon bread"):
        ids = torch.tensor([WordPieceTokenizer(small_tokenizer()).ids(text)])
        mask = torch.zeros(1, 1, 2, 2) if attention == "bidirectional" else torch.ones_like(ids)
        with torch.inference_mode():
            firsts.append(split.states(ids, mask)[0, 0])
    assert torch.allclose(*firsts) == (attention == "causal")
    batch = encoder.encode_documents(["moon sea", "the moon pulls the sea towards it"])
    np.testing.assert_allclose(batch[0].to_dense(), encoder.encode_documents(["moon sea"]).to_dense(), atol=1e-5)


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")
def test_lora_adapter(tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    from transformers import AutoModelForCausalLM

    base = small_causal(tmp_path / "base")
    model = AutoModelForCausalLM.from_pretrained(base)
    config = peft.LoraConfig(r=2, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM", init_lora_weights=False)
    torch.manual_seed(2)
    peft.get_peft_model(model, config).save_pretrained(str(tmp_path / "adapter"))
    encoder = load_encoder(str(tmp_path / "adapter"), settings={"max_length": 100, "device": "cpu"})
    plain = load_encoder(str(base), settings={"max_length": 100, "device": "cpu"})
    assert encoder.encode_documents(TEXTS) != plain.encode_documents(TEXTS)
    assert encoder.fingerprint != plain.fingerprint
    adapted = peft.PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), str(tmp_path / "adapter"))
    adapted.merge_and_unload().save_pretrained(tmp_path / "merged")
    small_tokenizer().save(str(tmp_path / "merged" / "tokenizer.json"))
    merged = load_encoder(str(tmp_path / "merged"), settings={"max_length": 100, "device": "cpu"})
    expected = merged.encode_documents(TEXTS).to_dense()
    np.testing.assert_allclose(encoder.encode_documents(TEXTS).to_dense(), expected, atol=1e-5)


# -- n-grams ----------------------------------------------------------------------------------------------------------


def test_ngrams(tmp_path: Path) -> None:
    """max over positions i of Σ over the places of an n-gram of relu(q_i·k_l/√d); a query has the first position."""
    from safetensors.torch import save_file

    model = small_body()
    folder = write(tmp_path / "m", model.state_dict(), model.config, architectures=["BertModel"])
    generator = torch.Generator().manual_seed(4)
    heads = {
        f"{order}.{part}": torch.randn(*shape, generator=generator) * 0.4
        for order in (1, 2)
        for part, shape in (
            ("query.weight", (16, 16)),
            ("query.bias", (16,)),
            ("key.weight", (16, 16)),
            ("key.bias", (16,)),
        )
    }
    save_file(heads, folder / "heads.safetensors")
    record = {"format": "lsr-encoder", "format_version": 1, "family": "ngrams", "orders": [1, 2], "dim": 1 << 20}
    (folder / "encoder.json").write_text(json.dumps(record))
    encoder = load_encoder(str(folder), settings={"max_length": 60, "device": "cpu"})
    text = "the moon pulls the moon"
    ids, h = states(model, text)
    tokens = WordPieceTokenizer(small_tokenizer()).tokens(ids)
    for first_only, found in ((False, encoder.encode_documents([text])), (True, encoder.encode_queries([text]))):
        expected: dict[str, float] = {}
        for order in (1, 2):
            q = h @ heads[f"{order}.query.weight"].T + heads[f"{order}.query.bias"]
            k = h @ heads[f"{order}.key.weight"].T + heads[f"{order}.key.bias"]
            attention = torch.relu(q @ k.T / 4)
            attention = attention[:1] if first_only else attention
            places: dict[str, list[int]] = {}
            for start in range(1, len(ids) - order):
                places.setdefault(" ".join(tokens[start : start + order]), []).append(start)
            expected |= {gram: float(attention[:, at].sum(1).max()) for gram, at in places.items()}
        words = encoder.words(found.terms.tolist())
        assert "the moon" in expected
        positive = {gram: weight for gram, weight in expected.items() if weight > 0}
        assert dict(zip(words, found.weights.tolist(), strict=True)) == pytest.approx(positive, rel=1e-4)
    assert encoder.dim == 1 << 20


# -- dual encoders ----------------------------------------------------------------------------------------------------


def test_thongnt99_dual_encoder(tmp_path: Path) -> None:
    """MLP queries (sums, log1p) and MLM documents whose special positions are not pooled."""
    from safetensors.torch import load_file

    base = save_checkpoint(tmp_path / "base")
    folder = tmp_path / "dual"
    body, layer = small_body(), head(16, 1)
    doc = {"model_type": "MLM", "tf_base_model_name_or_dir": str(base), "pool": "max", "norm": "log1p"}
    query = {"model_type": "MLP", "tf_base_model_name_or_dir": str(base), "activation": "relu", "norm": "log1p"}
    for name, record, state in (
        ("doc_encoder", doc, prefixed("model.", load_file(base / "model.safetensors"))),
        ("query_encoder", query, {**prefixed("model.", body.state_dict()), **prefixed("linear.", layer)}),
    ):
        write(folder / name, state, small_config("bert"))
        (folder / name / "config.json").write_text(json.dumps(record))
        (folder / name / "tokenizer.json").unlink()
    (folder / "tokenizer").mkdir()
    small_tokenizer().save(str(folder / "tokenizer" / "tokenizer.json"))
    (folder / "config.json").write_text(json.dumps({"model_type": "DualEncoder", "shared": False}))
    encoder = load_encoder(str(folder), settings={"max_length": 60, "device": "cpu"})
    text = TEXTS[0]
    expected = torch.log1p(torch.relu(logits(base, text)[1:-1].amax(0))).numpy()
    expected[:5] = 0
    np.testing.assert_allclose(encoder.encode_documents([text]).to_dense()[0], expected, atol=1e-5)
    ids, h = states(body, text)
    weights = torch.log1p(torch.relu(h @ layer["weight"][0] + layer["bias"]))
    assert_rows(encoder.encode_queries([text]), [pooled(ids, weights, "sum")])


def test_thongnt99_binary_query(tmp_path: Path) -> None:
    """A learned number for each occurrence of a token."""
    from safetensors.torch import load_file, save_file

    base = save_checkpoint(tmp_path / "base")
    folder = tmp_path / "dual"
    state = prefixed("model.", load_file(base / "model.safetensors"))
    write(folder / "doc_encoder", state, small_config("bert"))
    doc = {"model_type": "CLS_MLM", "tf_base_model_name_or_dir": str(base)}
    (folder / "doc_encoder" / "config.json").write_text(json.dumps(doc))
    (folder / "query_encoder").mkdir()
    (folder / "query_encoder" / "config.json").write_text(
        json.dumps({"model_type": "BINARY", "scale": 0.3, "vocab_size": len(VOCABULARY)})
    )
    save_file({"scale": torch.tensor(0.45)}, folder / "query_encoder" / "model.safetensors")
    small_tokenizer().save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text(json.dumps({"model_type": "DualEncoder", "shared": False}))
    encoder = load_encoder(str(folder), settings={"max_length": 60, "device": "cpu"})
    found = encoder.encode_queries(["the moon the"])
    words = dict(zip(encoder.words(found.terms.tolist()), found.weights.tolist(), strict=True))
    assert words == pytest.approx({"the": 0.9, "moon": 0.45})
    expected = torch.log1p(torch.relu(logits(base, "the moon")[0])).numpy()
    expected[:5] = 0
    np.testing.assert_allclose(encoder.encode_documents(["the moon"]).to_dense()[0], expected, atol=1e-5)


# -- refusals and conventions -----------------------------------------------------------------------------------------


def test_remote_code_is_refused_unless_named(tmp_path: Path) -> None:
    folder = save_checkpoint(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoModelForMaskedLM": "modeling.NewForMaskedLM", "AutoConfig": "configuration.NewConfig"}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(EncoderError, match=r"brings code of its own \(NewForMaskedLM\).*say remote_code"):
        load_encoder(str(folder))
    with pytest.raises(InvalidSettingError, match="brings NewForMaskedLM"):
        load_encoder(str(folder), settings={"remote_code": "yes"})
    named = load_encoder(str(folder), settings={"remote_code": "NewForMaskedLM", "queries": "inference-free"})
    assert named.settings["remote_code"] == "NewForMaskedLM"


def test_settings_of_another_family_are_refused(tmp_path: Path) -> None:
    model = small_body()
    folder = write(tmp_path / "m", model.state_dict(), model.config, architectures=["BertModel"])
    torch.save(head(16, 1), folder / "sparse_linear.pt")
    with pytest.raises(InvalidSettingError, match="of the family token-weights, it has no setting pooling"):
        load_encoder(str(folder), settings={"pooling": "sum"})
    with pytest.raises(InvalidSettingError, match="family is 'elser'"):
        load_encoder(str(folder), settings={"family": "elser"})


def test_the_published_idf_convention(tmp_path: Path) -> None:
    """idf(t) = ln(1 + (N − df + .5)/(df + .5)), keyed by token; 1 for tokens that are not mentioned."""
    documents = 8_841_823
    df = {"moon": 1, "sea": 27_518, "the": 7_722_830}
    table = {word: float(np.log(1 + (documents - n + 0.5) / (n + 0.5))) for word, n in df.items()}
    assert table["moon"] == pytest.approx(15.58954, abs=1e-5)
    np.testing.assert_allclose(
        inverse_document_frequency(list(df.values()), documents), list(table.values()), rtol=1e-6
    )
    folder = save_checkpoint(tmp_path)
    (folder / "idf.json").write_text(json.dumps(table))
    encoder = load_encoder(str(folder))
    assert encoder.lexical_queries
    found = encoder.encode_queries(["The moon, the ice"])
    words = dict(zip(encoder.words(found.terms.tolist()), found.weights.tolist(), strict=True))
    assert words == pytest.approx({"the": table["the"], "moon": table["moon"], ",": 1.0, "ice": 1.0}, rel=1e-6)
