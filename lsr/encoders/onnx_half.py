"""A model of `lsr.encoders.onnx_graph` with its weights stored as 16-bit floats: half the file, the same arithmetic.

onnxruntime widens the weights once, when it loads the model; everything is then computed in float32. Knows the ONNX
format. Knows nothing of what the graph computes.
"""

from __future__ import annotations

import numpy as np

from lsr.errors import MissingExtraError

#: Smaller tensors (scales, biases of norms, shapes) stay as they are.
_LEAST = 4096


def halved(model: bytes) -> bytes:
    """The serialised model with each large float32 constant as float16, widened where it is used.

    A tensor with a value beyond what 16 bits hold stays as it is. Equal bytes give equal bytes.

    Raises
    ------
    MissingExtraError
        The package onnx is not installed.
    """
    try:
        import onnx
        import onnx.helper
        import onnx.numpy_helper
    except ImportError:
        raise MissingExtraError("converting a checkpoint", "onnx") from None
    record = onnx.load_from_string(model)
    graph = record.graph
    kept, nodes = [], []
    for tensor in graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT:
            kept.append(tensor)
            continue
        values = onnx.numpy_helper.to_array(tensor)
        if values.size < _LEAST or np.abs(values).max() > np.finfo(np.float16).max:
            kept.append(tensor)
            continue
        stored = f"{tensor.name}.float16"
        kept.append(onnx.numpy_helper.from_array(values.astype(np.float16), stored))
        nodes.append(onnx.helper.make_node("Cast", [stored], [tensor.name], to=onnx.TensorProto.FLOAT))
    nodes += list(graph.node)
    del graph.initializer[:]
    del graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)
    onnx.checker.check_model(record)
    data: bytes = record.SerializeToString(deterministic=True)
    return data
