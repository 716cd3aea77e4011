"""The vectors of sentence-transformers' SparseEncoder, from the same folders, in both directions."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from encoder_checkpoints import SPLADE_TINY, TEXTS, VOCABULARY, save_checkpoint, small_tokenizer, torch_twin

from lsr.encoders.export import FORMATS, export_checkpoint
from lsr.encoders.neural import NeuralEncoder
from lsr.errors import EncoderError, InvalidSettingError

st = pytest.importorskip("sentence_transformers")


def reference(folder: Path, texts: list[str], *, queries: bool = False) -> np.ndarray[Any, np.dtype[np.float32]]:
    """What sentence-transformers gives, dense."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = st.SparseEncoder(str(folder), device="cpu")
        encode = model.encode_query if queries else model.encode_document
        found: np.ndarray[Any, np.dtype[np.float32]] = encode(texts, batch_size=3).to_dense().numpy()
    return found


def with_tokenizer(folder: Path, kind: str = "bert") -> Path:
    """A checkpoint with what transformers wants beside `tokenizer.json`."""
    save_checkpoint(folder, kind)
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    record = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 60, "mask_token": "[MASK]", **names}
    (folder / "tokenizer_config.json").write_text(json.dumps(record))
    return folder


def saved(folder: Path, *modules: Any) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        st.SparseEncoder(modules=list(modules), device="cpu").save_pretrained(str(folder), create_model_card=False)
    return folder


def transformer(folder: Path) -> Any:
    from sentence_transformers.base.modules import Transformer

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Transformer(str(folder), transformer_task="fill-mask")


@pytest.mark.parametrize(
    ("kind", "pooling", "activation"),
    [("bert", "max", "relu"), ("distilbert", "sum", "relu"), ("roberta", "max", "log1p_relu")],
)
def test_splade_pooling(tmp_path: Path, kind: str, pooling: str, activation: str) -> None:
    from sentence_transformers.sparse_encoder.modules import SpladePooling

    source = with_tokenizer(tmp_path / "model", kind)
    pool = SpladePooling(pooling_strategy=pooling, activation_function=activation)  # type: ignore[arg-type]
    folder = saved(tmp_path / "st", transformer(source), pool)
    encoder = NeuralEncoder(str(folder), special_tokens="keep", device="cpu", batch_tokens=150)
    assert encoder.layout.format == "sentence-transformers (SpladePooling)"
    assert encoder.max_length == 60
    expected = reference(folder, TEXTS)
    np.testing.assert_allclose(encoder.encode_documents(TEXTS).to_dense(), expected, atol=1e-4)
    np.testing.assert_allclose(encoder.encode_queries(TEXTS).to_dense(), expected, atol=1e-4)
    backwards = encoder.encode_documents(TEXTS[::-1]).to_dense()[::-1]
    np.testing.assert_allclose(backwards, expected, atol=1e-4)


@pytest.mark.parametrize("table", ["ones", "idf.json"])
def test_router_with_a_static_query(tmp_path: Path, table: str) -> None:
    import torch
    from sentence_transformers.base.modules import Router
    from sentence_transformers.sparse_encoder.modules import SparseStaticEmbedding, SpladePooling

    model = transformer(with_tokenizer(tmp_path / "model"))
    weights = torch.rand(len(VOCABULARY), generator=torch.Generator().manual_seed(1)) * 8
    if table == "idf.json":
        path = tmp_path / "idf.json"
        path.write_text(json.dumps(dict(zip(VOCABULARY, weights.tolist(), strict=True))))
        static = SparseStaticEmbedding.from_json(str(path), tokenizer=model.tokenizer, frozen=True)
    else:
        static = SparseStaticEmbedding(model.tokenizer, None if table == "ones" else weights, frozen=True)
    router = Router.for_query_document(query_modules=[static], document_modules=[model, SpladePooling()])
    folder = saved(tmp_path / "st", router)
    encoder = NeuralEncoder(str(folder), special_tokens="keep", device="cpu")
    assert encoder.lexical_queries
    assert encoder.default_query_idf == "min"
    np.testing.assert_allclose(encoder.encode_documents(TEXTS).to_dense(), reference(folder, TEXTS), atol=1e-4)
    # sentence-transformers weights the unknown token and cuts a query to the model's length; we do neither.
    queries = ["tides", "The moon, the sea.", "a year in the ice?", "was a bridge"]
    expected = reference(folder, queries, queries=True)
    expected[:, :5] = 0
    np.testing.assert_allclose(encoder.encode_queries(queries).to_dense(), expected, atol=1e-4)


def test_router_with_two_networks(tmp_path: Path) -> None:
    """Efficient SPLADE: separate encoders of queries and documents."""
    from sentence_transformers.base.modules import Router
    from sentence_transformers.sparse_encoder.modules import SpladePooling

    ways = [
        [transformer(with_tokenizer(tmp_path / kind, kind)), SpladePooling(pooling)]  # type: ignore[arg-type]
        for kind, pooling in (("distilbert", "sum"), ("bert", "max"))
    ]
    folder = saved(tmp_path / "st", Router.for_query_document(query_modules=ways[0], document_modules=ways[1]))
    encoder = NeuralEncoder(str(folder), special_tokens="keep", device="cpu")
    assert not encoder.lexical_queries
    np.testing.assert_allclose(encoder.encode_documents(TEXTS).to_dense(), reference(folder, TEXTS), atol=1e-4)
    queries = reference(folder, TEXTS, queries=True)
    np.testing.assert_allclose(encoder.encode_queries(TEXTS).to_dense(), queries, atol=1e-4)


def test_prompts(tmp_path: Path) -> None:
    from sentence_transformers.sparse_encoder.modules import SpladePooling

    folder = saved(tmp_path / "st", transformer(with_tokenizer(tmp_path / "model")), SpladePooling())
    record = json.loads((folder / "config_sentence_transformers.json").read_text())
    record["prompts"] = {"query": "the sea: ", "document": "ice: "}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(record))
    encoder = NeuralEncoder(str(folder), special_tokens="keep", device="cpu")
    texts = ["the moon", "bread, a year"]
    np.testing.assert_allclose(encoder.encode_documents(texts).to_dense(), reference(folder, texts), atol=1e-4)
    queries = reference(folder, texts, queries=True)
    np.testing.assert_allclose(encoder.encode_queries(texts).to_dense(), queries, atol=1e-4)
    assert not np.allclose(queries, reference(folder, texts))


def test_older_module_names(tmp_path: Path) -> None:
    from sentence_transformers.sparse_encoder.modules import SpladePooling

    folder = saved(tmp_path / "st", transformer(with_tokenizer(tmp_path / "model")), SpladePooling())
    expected = reference(folder, TEXTS)
    modules = json.loads((folder / "modules.json").read_text())
    for module, name in zip(modules, ("MLMTransformer", "SpladePooling"), strict=True):
        module["type"] = f"sentence_transformers.sparse_encoder.models.{name}"
    (folder / "modules.json").write_text(json.dumps(modules))
    pooling = json.loads((folder / "1_SpladePooling" / "config.json").read_text())
    pooling["word_embedding_dimension"] = pooling.pop("embedding_dimension")
    (folder / "1_SpladePooling" / "config.json").write_text(json.dumps(pooling))
    encoder = NeuralEncoder(str(folder), special_tokens="keep", device="cpu")
    np.testing.assert_allclose(encoder.encode_documents(TEXTS).to_dense(), expected, atol=1e-4)


def test_other_modules_are_refused(tmp_path: Path) -> None:
    from sentence_transformers.sparse_encoder.modules import SpladePooling

    folder = saved(tmp_path / "st", transformer(with_tokenizer(tmp_path / "model")), SpladePooling())
    modules = json.loads((folder / "modules.json").read_text())
    modules[1]["type"] = "sentence_transformers.sparse_encoder.models.SparseAutoEncoder"
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(EncoderError, match="is made of Transformer, SparseAutoEncoder, which lsr does not read"):
        NeuralEncoder(str(folder))


@pytest.mark.slow
def test_splade_tiny(tmp_path: Path) -> None:
    folder = torch_twin(tmp_path / "twin")
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    record = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 256, "mask_token": "[MASK]", **names}
    (folder / "tokenizer_config.json").write_text(json.dumps(record))
    encoder = NeuralEncoder(str(folder), special_tokens="keep", device="cpu", max_length=256)
    texts = [text for text in TEXTS if "[" not in text]
    np.testing.assert_allclose(encoder.encode_documents(texts).to_dense(), reference(folder, texts), atol=1e-4)
    assert SPLADE_TINY.is_dir()


# -- written by us ----------------------------------------------------------------------------------------------------


def opensearch(folder: Path) -> Path:
    with_tokenizer(folder)
    weights = {token: 0.5 + number / 7 for number, token in enumerate(VOCABULARY[:60])}
    (folder / "idf.json").write_text(json.dumps(weights))
    return folder


@pytest.mark.parametrize(("pooling", "activation"), [("sum", "log1p_relu"), ("max", "log1p_log1p_relu")])
def test_export_of_splade_reloads_with_equal_vectors(tmp_path: Path, pooling: str, activation: str) -> None:
    source = with_tokenizer(tmp_path / "model")
    encoder = NeuralEncoder(
        str(source), pooling=pooling, activation=activation, max_length=50, special_tokens="keep", device="cpu"
    )
    folder = export_checkpoint(encoder, tmp_path / "out", format="sentence-transformers")
    expected = encoder.encode_documents(TEXTS).to_dense()
    np.testing.assert_allclose(reference(folder, TEXTS), expected, atol=1e-4)
    again = NeuralEncoder(str(folder), special_tokens="keep", device="cpu")
    assert again.max_length == 50
    np.testing.assert_allclose(again.encode_documents(TEXTS).to_dense(), expected, atol=1e-6)


def test_export_of_an_inference_free_encoder_reloads_with_equal_vectors(tmp_path: Path) -> None:
    encoder = NeuralEncoder(str(opensearch(tmp_path / "model")), max_length=50, special_tokens="keep", device="cpu")
    assert encoder.layout.format.startswith("OpenSearch")
    assert encoder.lexical_queries
    folder = export_checkpoint(encoder, tmp_path / "out", format="sentence-transformers")
    documents = encoder.encode_documents(TEXTS).to_dense()
    np.testing.assert_allclose(reference(folder, TEXTS), documents, atol=1e-4)
    queries = ["tides", "The moon, the sea.", "a year in the ice?", "was a bridge"]
    expected = encoder.encode_queries(queries).to_dense()
    np.testing.assert_allclose(reference(folder, queries, queries=True), expected, atol=1e-5)
    again = NeuralEncoder(str(folder), special_tokens="keep", device="cpu")
    assert again.encode_queries(queries) == encoder.encode_queries(queries)
    assert again.encode_documents(TEXTS) == encoder.encode_documents(TEXTS)


@pytest.mark.parametrize("format", ["opensearch", "masked-lm"])
def test_export_to_plain_folders(tmp_path: Path, format: str) -> None:
    encoder = NeuralEncoder(str(opensearch(tmp_path / "model")), max_length=50, device="cpu")
    folder = export_checkpoint(encoder, tmp_path / "out", format=format)
    again = NeuralEncoder(str(folder), max_length=50, device="cpu")
    assert again.lexical_queries == (format == "opensearch")
    assert again.encode_documents(TEXTS) == encoder.encode_documents(TEXTS)
    if format == "opensearch":
        assert again.encode_queries(TEXTS) == encoder.encode_queries(TEXTS)
        record = json.loads((folder / "idf.json").read_text())
        assert record["moon"] == pytest.approx(0.5 + VOCABULARY.index("moon") / 7, rel=1e-6)


def test_export_refuses(tmp_path: Path) -> None:
    source = with_tokenizer(tmp_path / "model")
    encoder = NeuralEncoder(str(source), device="cpu")
    with pytest.raises(InvalidSettingError, match=f"one of {', '.join(FORMATS)}"):
        export_checkpoint(encoder, tmp_path / "out", format="elser")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("")
    with pytest.raises(InvalidSettingError, match="is not empty"):
        export_checkpoint(encoder, tmp_path / "full", format="masked-lm")
    with pytest.raises(InvalidSettingError, match="needs queries by look-up"):
        export_checkpoint(encoder, tmp_path / "out", format="opensearch")
    with pytest.raises(InvalidSettingError, match="cannot say the activation"):
        double = NeuralEncoder(str(source), device="cpu", activation="log1p_log1p_relu")
        export_checkpoint(double, tmp_path / "out", format="masked-lm")
    assert not (tmp_path / "out").exists()
    shutil.rmtree(source)


def test_small_tokenizer_is_the_one_saved(tmp_path: Path) -> None:
    save_checkpoint(tmp_path)
    assert json.loads((tmp_path / "tokenizer.json").read_text()) == json.loads(small_tokenizer().to_str())
