"""Encoders against sentence-transformers' SparseEncoder: the same checkpoint, texts and threads, in one run.

    make bench-encode            QUICK=1 for fewer texts
    python training/bench_encode.py --device cuda --sizes tiny 22m      on a GPU

The checkpoint is the carried splade-tiny; `22m` has random weights in the shape of a 22M model (6 layers, 384 wide).
Each contender runs in a process of its own, so that its peak memory is its own: `rss` is the process's greatest, `grew`
what encoding added to it after loading. Rates are by the clock and, on a CPU, by CPU time (`per cpu s`), which a busy
machine disturbs less. Prints a table and one JSON object as the last line; writes the table below training/results.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

CONTENDERS = {
    "cpu": ("sentence-transformers", "lsr torch", "lsr torch bf16", "lsr onnx", "lsr onnx int8"),
    "cuda": ("sentence-transformers", "sentence-transformers bf16", "lsr naive head bf16", "lsr", "lsr bf16"),
}
QUERIES = ("sentence-transformers Router", "lsr")


def made_texts(words: list[str], tokens: int, count: int) -> list[str]:
    """Texts of about that many tokens, of whole words of the vocabulary, the same every time."""
    chosen = random.Random(tokens)
    return [" ".join(chosen.choices(words, k=tokens - 2)) for _ in range(count)]


def make_checkpoints(folder: Path, sizes: list[str]) -> None:
    """splade-tiny as transformers reads it, a model of 22M random weights, and a Router over the first."""
    import shutil

    import torch
    from transformers import BertConfig, BertForMaskedLM

    from lsr.encoders.registry import CARRIED

    given = os.environ.get("LSR_SPLADE_TINY")
    roles = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    record = {"tokenizer_class": "PreTrainedTokenizerFast", "mask_token": "[MASK]", "model_max_length": 256, **roles}
    for size in sizes:
        target = folder / size
        if size == "tiny" and given:
            shutil.copytree(given, target, ignore=shutil.ignore_patterns("*.pt"))
        elif size == "tiny":
            sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
            from encoder_checkpoints import torch_twin

            torch_twin(target)
        else:
            torch.manual_seed(1)
            shape = {"num_hidden_layers": 6, "hidden_size": 384, "num_attention_heads": 12, "intermediate_size": 1536}
            model = BertForMaskedLM(BertConfig(**shape))
            model.cls.predictions.bias.data.fill_(-2.0)  # or half of the vocabulary would be active
            model.save_pretrained(target)
        shutil.copyfile(CARRIED / "splade-tiny" / "tokenizer.json", target / "tokenizer.json")
        (target / "tokenizer_config.json").write_text(json.dumps(record))
    if "tiny" in sizes:
        from lsr.encoders.export import export_checkpoint
        from lsr.encoders.neural import NeuralEncoder

        encoder = NeuralEncoder(str(folder / "tiny"), queries="inference-free", device="cpu")
        export_checkpoint(encoder, folder / "router", format="sentence-transformers")


# -- one contender, in its own process --------------------------------------------------------------------------------


def forget_peak() -> None:
    """Begin a new peak of resident memory: a process is born with that of its parent."""
    Path("/proc/self/clear_refs").write_text("5")


def rss() -> float:
    """The greatest resident memory since then, MiB."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def loaded(name: str, folder: Path, device: str, threads: int) -> Any:
    """texts -> something, encoded."""
    if name.startswith("sentence-transformers"):
        import sentence_transformers
        import torch

        torch.set_num_threads(threads)
        dtype = {"dtype": torch.bfloat16} if "bf16" in name else {}
        model = sentence_transformers.SparseEncoder(str(folder), device=device, model_kwargs=dtype)
        batch = 32 if device == "cpu" else 128
        return lambda texts: model.encode_document(texts, batch_size=batch, show_progress_bar=False)
    if "onnx" in name:
        from lsr.encoders.onnx import OnnxEncoder
        from lsr.encoders.registry import CARRIED

        precision = {"precision": "int8"} if "int8" in name else {}
        return OnnxEncoder(CARRIED / "splade-tiny", threads=threads, **precision).encode_documents
    import torch

    torch.set_num_threads(threads)
    from lsr.encoders.neural import NeuralEncoder

    if "naive" in name:
        from lsr.encoders import head

        head.fused_head = naive_head  # what the fused head is compared with
    precision = "bfloat16" if "bf16" in name else "float32"
    tokens = 512 * 32 if "naive" in name else None
    encoder = NeuralEncoder(str(folder), device=device, precision=precision, max_length=256, batch_tokens=tokens)
    return encoder.encode_documents


def naive_head(states: Any, mask: Any, weight: Any, bias: Any, **options: Any) -> Any:
    """log1p(relu) of all logits, then the maximum."""
    import torch

    logits = torch.nn.functional.linear(states, weight, bias.to(states.dtype))
    return (torch.log1p(torch.relu(logits)) * mask.bool()[..., None]).amax(1).float()


def documents(arguments: argparse.Namespace) -> dict[str, Any]:
    """Rates of one contender for each length."""
    import numpy as np

    folder = Path(arguments.folder)
    forget_peak()
    encode = loaded(arguments.one, folder, arguments.device, arguments.threads)
    words = vocabulary_words(folder)
    cuda = arguments.device == "cuda"
    encode(made_texts(words, 32, 8))
    for tokens in arguments.lengths:  # every shape once, so that nothing is compiled while the clock runs
        encode(made_texts(words, tokens, 512 if cuda else 2))
    whole = rss()
    forget_peak()
    before, result = rss(), {}
    for tokens in arguments.lengths:
        count = max(8, arguments.tokens // tokens)
        texts = made_texts(words, tokens, count)
        if cuda:
            import torch

            torch.cuda.reset_peak_memory_stats()
            torch.cuda.synchronize()
        clock, cpu = time.perf_counter(), time.process_time()
        found = encode(texts)
        clock, cpu = time.perf_counter() - clock, time.process_time() - cpu
        result[str(tokens)] = {"per_s": count / clock, "per_cpu_s": count / cpu}
        if cuda:
            result[str(tokens)]["gpu_mib"] = torch.cuda.max_memory_allocated() / 2**20
        if tokens == 64 and not cuda:
            dense = found.to_dense()
            result["check"] = float(np.asarray(dense[:8]).sum())
    return {**result, "rss_mib": max(whole, rss()), "grew_mib": rss() - before}


def queries(arguments: argparse.Namespace) -> dict[str, Any]:
    """Median microseconds of one query by look-up, tokenising included."""
    folder = Path(arguments.folder)
    if arguments.one.startswith("sentence"):
        import sentence_transformers

        model = sentence_transformers.SparseEncoder(str(folder), device="cpu")

        def encode(text: str) -> object:
            return model.encode_query(text, show_progress_bar=False)
    else:
        from lsr.encoders.neural import NeuralEncoder

        encoder = NeuralEncoder(str(folder), device="cpu")

        def encode(text: str) -> object:
            return encoder.encode_queries([text])

    texts = made_texts(vocabulary_words(folder.parent / "tiny"), 9, 400)
    times = []
    for text in texts:
        start = time.perf_counter()
        encode(text)
        times.append(time.perf_counter() - start)
    return {"median_us": statistics.median(times[100:]) * 1e6}


def vocabulary_words(folder: Path) -> list[str]:
    vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    return [word for word in vocabulary if word.isascii() and word.isalpha() and len(word) > 2]


# -- all of them ------------------------------------------------------------------------------------------------------


def child(options: list[str]) -> dict[str, Any]:
    command = [sys.executable, __file__, *options]
    environment = {**os.environ, "TOKENIZERS_PARALLELISM": "true", "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        print(done.stderr[-2000:], file=sys.stderr)
        return {"failed": done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "no message"}
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--sizes", nargs="+", default=["tiny"], choices=("tiny", "22m"))
    parser.add_argument("--lengths", nargs="+", type=int, default=[16, 64, 128, 256])
    parser.add_argument("--tokens", type=int, help="of each measurement, in all its texts")
    parser.add_argument("--threads", type=int, default=1, help="of each contender (default: 1)")
    parser.add_argument("--contenders", nargs="+")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--to", type=Path, help="write the table here")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.tokens = arguments.tokens or (4096 if arguments.quick else 32768)
    if arguments.one:
        warnings.simplefilter("ignore")
        asked = (
            queries
            if arguments.device == "cpu" and arguments.one in QUERIES and "router" in arguments.folder
            else documents
        )
        print(json.dumps(asked(arguments)))
        return
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        make_checkpoints(Path(scratch), arguments.sizes)
        common = ["--device", arguments.device, "--threads", str(arguments.threads), "--tokens", str(arguments.tokens)]
        common += ["--lengths", *map(str, arguments.lengths)]
        for size in arguments.sizes:
            for name in arguments.contenders or CONTENDERS[arguments.device]:
                if "onnx" in name and size != "tiny":
                    continue
                found = child(["--one", name, "--folder", str(Path(scratch) / size), *common])
                figures.setdefault(size, {})[name] = found
                print(size, name, json.dumps(found), flush=True)
        if arguments.device == "cpu" and "tiny" in arguments.sizes:
            asked = {
                name: child(["--one", name, "--folder", str(Path(scratch) / "router"), *common]) for name in QUERIES
            }
            figures["queries"] = asked
            print("queries", json.dumps(asked), flush=True)
    report = as_table(figures, arguments)
    print(report)
    if arguments.to is not None:
        arguments.to.parent.mkdir(parents=True, exist_ok=True)
        arguments.to.write_text(report)
    print(json.dumps(figures))


def as_table(figures: dict[str, Any], arguments: argparse.Namespace) -> str:
    lines = [
        f"# Encoding ({time.strftime('%Y-%m-%d')})",
        "",
        f"`python training/bench_encode.py {' '.join(sys.argv[1:])}` on {machine(arguments)}.",
        "Documents a second (times those of sentence-transformers); memory in MiB.",
        "",
    ]
    for size in arguments.sizes:
        lengths = [str(length) for length in arguments.lengths]
        cuda = arguments.device == "cuda"
        tail = ["peak GPU memory"] if cuda else ["per CPU s at 128", "rss", "grew"]
        lines.append(f"| {size} | {' | '.join(f'{length} tokens' for length in lengths)} | {' | '.join(tail)} |")
        lines.append("|---" * (1 + len(lengths) + len(tail)) + "|")
        base = figures[size].get("sentence-transformers", {})
        for name, found in figures[size].items():
            if "failed" in found:
                lines.append(f"| {name} | {found['failed']} |")
                continue
            cells = [_ratio(found[length]["per_s"], base.get(length, {}).get("per_s")) for length in lengths]
            if cuda:
                cells.append(f"{max(found[length]['gpu_mib'] for length in lengths):,.0f}")
            else:
                at = "128" if "128" in lengths else lengths[-1]
                cells.append(_ratio(found[at]["per_cpu_s"], base.get(at, {}).get("per_cpu_s")))
                cells += [f"{found['rss_mib']:,.0f}", f"{found['grew_mib']:,.0f}"]
            lines.append(f"| {name} | {' | '.join(cells)} |")
        lines.append("")
    if "queries" in figures:
        lines += ["| one query by look-up | median µs |", "|---|---|"]
        lines += [
            f"| {name} | {found.get('median_us', float('nan')):.1f} |" for name, found in figures["queries"].items()
        ]
        lines.append("")
    return "\n".join(lines)


def _ratio(value: float, base: float | None) -> str:
    return f"{value:,.1f}" + (f" ({value / base:.1f}×)" if base else "")


def machine(arguments: argparse.Namespace) -> str:
    if arguments.device == "cuda":
        import torch

        return f"{torch.cuda.get_device_name(0)}, torch {torch.__version__}"
    name = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    return f"{name}, {arguments.threads} thread(s)"


if __name__ == "__main__":
    main()
