"""Models of transformers from a checkpoint's folder, whole and without surprises.

Knows configurations, tensors and adapters. Knows no pooling. Everything here loads torch.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from lsr.encoders.checkpoint import ADAPTER, Checkpoint
from lsr.encoders.families.base import Placing
from lsr.encoders.quiet import quiet_transformers
from lsr.errors import CorruptionError, EncoderError, MissingExtraError

#: What transformers calls each kind of model, and what a user is told it must be.
_KINDS = {
    "AutoModelForMaskedLM": ("masked language model", "*ForMaskedLM"),
    "AutoModelForCausalLM": ("causal language model", "*ForCausalLM"),
    "AutoModel": ("model", "a transformer encoder"),
}


def load_model(kind: str, checkpoint: Checkpoint, placing: Placing) -> Any:
    """`transformers.<kind>.from_pretrained` on its device, in inference mode, refused where weights are missing.

    A folder with `adapter_config.json` is read as an adapter (LoRA and its kin, by peft) over its base model, and
    merged into it.

    Raises
    ------
    EncoderError
        It cannot be loaded, or lacks weights (transformers would fill in random numbers).
    MissingExtraError
        It is an adapter, and peft is not installed.
    """
    adapter = checkpoint.folder / ADAPTER
    base = checkpoint.base() if adapter.is_file() else checkpoint
    model = _pretrained(kind, base, placing)
    if adapter.is_file():
        model = _adapted(model, checkpoint)
    return model.to(placing.torch_device(), placing.dtype()).eval()


def _pretrained(kind: str, checkpoint: Checkpoint, placing: Placing) -> Any:
    import transformers

    what, form = _KINDS[kind]
    try:
        with quiet_transformers():
            model, report = getattr(transformers, kind).from_pretrained(
                checkpoint.folder,
                trust_remote_code=placing.remote_code is not None,
                output_loading_info=True,
                local_files_only=True,
            )
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise EncoderError(
            f"{checkpoint.name} cannot be loaded as a {what}: {str(error).splitlines()[0]}",
            remedy=f"It needs a checkpoint that transformers loads as {form}",
        ) from error
    missing = sorted(name for name in report["missing_keys"] if not _optional(name))
    if missing:
        raise EncoderError(
            f"{checkpoint.name} lacks weights of its {what}: {', '.join(missing[:3])}"
            + (f" and {len(missing) - 3} more" if len(missing) > 3 else ""),
            remedy=f"Use a checkpoint that was trained as {form}, with all of its files",
        )
    return model


def _optional(name: str) -> bool:
    """Weights that no family reads."""
    return "pooler." in name or name.endswith("position_ids")


def _adapted(model: Any, checkpoint: Checkpoint) -> Any:
    try:
        import peft
    except ImportError:
        raise MissingExtraError(f"the adapter {checkpoint.name}", "lora") from None
    try:
        with warnings.catch_warnings():  # peft asks transformers by names that are going out of use
            warnings.simplefilter("ignore", FutureWarning)
            return peft.PeftModel.from_pretrained(model, str(checkpoint.folder)).merge_and_unload()
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise EncoderError(
            f"{checkpoint.name} cannot be put onto its base model: {str(error).splitlines()[0]}",
            remedy="Use the base model that the adapter was trained with",
        ) from error


def read_tensors(path: Path) -> Mapping[str, torch.Tensor]:
    """The tensors of one file, .safetensors or a pickle of torch, of which nothing but tensors is ever loaded.

    Raises
    ------
    CorruptionError
        It cannot be read so.
    """
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        record = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CorruptionError(path, "the file is gone") from None
    except Exception as error:  # pickle, torch and safetensors raise whatever they like about a bad file
        raise CorruptionError(
            path,
            f"its tensors cannot be read: {str(error).splitlines()[0] if str(error) else type(error).__name__}",
            remedy="Fetch it again; a file that holds more than tensors is refused",
        ) from None
    if not isinstance(record, Mapping):
        raise CorruptionError(path, f"named tensors are expected, not {type(record).__name__}")
    return _flat(record)


def _flat(record: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """{"a": {"weight": t}} as {"a.weight": t}; what is no tensor is left out."""
    found: dict[str, torch.Tensor] = {}
    for name, value in record.items():
        if isinstance(value, Mapping):
            found |= {f"{name}.{inner}": tensor for inner, tensor in _flat(value).items()}
        elif hasattr(value, "dtype"):
            found[str(name)] = value
    return found


def all_tensors(checkpoint: Checkpoint) -> dict[str, torch.Tensor]:
    """The tensors of all weight files of a checkpoint."""
    found: dict[str, torch.Tensor] = {}
    for path in checkpoint.weight_files:
        found |= read_tensors(path)
    return found


def load_body(
    kind: str, checkpoint: Checkpoint, tensors: Mapping[str, torch.Tensor], prefixes: Sequence[str], placing: Placing
) -> Any:
    """A model whose weights stand in `tensors` under names that begin with one of `prefixes`, which transformers
    cannot know: it is made from the configuration and filled.

    Raises
    ------
    EncoderError
        Weights are missing, or of other shapes.
    """
    import transformers

    try:
        config = transformers.AutoConfig.from_pretrained(checkpoint.configured().folder, local_files_only=True)
        model = getattr(transformers, kind).from_config(config)
    except (OSError, ValueError, KeyError) as error:
        raise EncoderError(
            f"the configuration of {checkpoint.name} cannot be read: {str(error).splitlines()[0]}"
        ) from error
    wanted = model.state_dict()
    for prefix in (*prefixes, ""):
        state = {name: tensors[prefix + name] for name in wanted if prefix + name in tensors}
        if state:
            break
    try:
        report = model.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise EncoderError(
            f"the weights of {checkpoint.name} do not fit its configuration: {str(error).splitlines()[-1].strip()}",
            remedy="Use the configuration that was published with these weights",
        ) from error
    model.tie_weights()
    filled = model.state_dict()  # what is tied to a weight that was there is not missing
    own = {filled[name].data_ptr() for name in state}
    missing = [name for name in report.missing_keys if not _optional(name) and filled[name].data_ptr() not in own]
    if missing:
        raise EncoderError(
            f"{checkpoint.name} lacks weights of its body: {', '.join(missing[:3])}"
            + (f" and {len(missing) - 3} more" if len(missing) > 3 else ""),
            remedy="Fetch the whole checkpoint",
        )
    return model.to(placing.torch_device(), placing.dtype()).eval()
