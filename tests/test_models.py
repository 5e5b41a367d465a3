"""Whole models: what LiteRT says of every fixture, and of every model under `--models`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tflite_quant as tq
from tests import comparison
from tflite_quant.format import values as storage


def test_agrees_with_litert(model_path: Path) -> None:
    model, interpreter, reason = comparison.open_both(model_path)
    if interpreter is None:
        assert model is None or any(known in reason for known in comparison.REFUSED), reason
        return
    assert model is not None, "LiteRT opens it"
    assert list(comparison.differences(model, interpreter)) == []


def test_everything_can_be_read(model_path: Path) -> None:
    """What is refused is refused with a reason; what is dequantized has the tensor's shape."""
    with tq.open(model_path) as model:
        for tensor in (t for subgraph in model.subgraphs for t in subgraph.tensors):
            assert len(repr(tensor).splitlines()) == 1
            if not tensor.is_constant:
                with pytest.raises(tq.UnsupportedError, match="not constant"):
                    tensor.data  # noqa: B018
                continue
            data = tensor.data
            assert data.shape == tensor.shape
            assert not data.flags.writeable
            if not tensor.is_sparse and tensor.type in storage.VIEWED:
                assert np.shares_memory(data, tensor.buffer.data) or not data.size
            if not isinstance(tensor.quantization, tq.NotQuantized):
                _require_real_values(tensor)


def _require_real_values(tensor: tq.Tensor) -> None:
    quantization = tensor.quantization
    if isinstance(quantization, tq.PerAxis) and quantization.axis >= len(tensor.shape):
        with pytest.raises(tq.QuantizationError, match="is out of range for shape"):
            tensor.dequantize()
    else:
        assert tensor.dequantize().shape == tensor.shape
