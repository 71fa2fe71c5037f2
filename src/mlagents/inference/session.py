"""ONNX Runtime, set up for small networks."""

from __future__ import annotations

import onnxruntime


def open_session(model: bytes) -> onnxruntime.InferenceSession:
    """Return a session on the CPU with one thread: a pool costs such networks more than it gains.

    Raises:
      Exception: one of ONNX Runtime's own, whose only common base this is: it cannot run the model.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors; warnings are about how a model was written
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
