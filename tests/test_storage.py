"""How values lie in buffers: every bit pattern, against package `ml_dtypes`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tflite
from numpy.typing import NDArray

import tflite_quant as tq
from tests import build, oracle
from tflite_quant import TensorType
from tflite_quant.format import values as storage

BYTES = np.arange(256, dtype=np.uint8)
SUB_BYTE = {
    TensorType.INT2: (2, "int2"),
    TensorType.INT4: (4, "int4"),
    TensorType.UINT4: (4, "uint4"),
}
STRINGS = [b"", b"plain", "größe".encode(), b"\x00\xff"]


def small_type(name: str) -> Any:
    """Give a type that numpy has, or else package ml_dtypes."""
    return getattr(np, name, None) or getattr(oracle.package("ml_dtypes"), name)


def data_of(type: int, shape: tuple[int, ...], content: bytes) -> NDArray[Any]:
    return tq.open(build.one(build.TensorSpec("w", shape, type, data=content))).tensors[0].data


def packed(strings: list[bytes]) -> bytes:
    header = 4 * (len(strings) + 2)
    ends = np.cumsum([header, *map(len, strings)])
    return np.array([len(strings), *ends], "<i4").tobytes() + b"".join(strings)


class TestSubByte:
    @pytest.mark.parametrize("type", list(SUB_BYTE))
    def test_every_byte(self, type: TensorType) -> None:
        """An array of ml_dtypes holds one value a byte: so pack its values here, low bits first."""
        bits, name = SUB_BYTE[type]
        small = small_type(name)
        per = 8 // bits
        fields = np.stack([BYTES >> (bits * k) & (2**bits - 1) for k in range(per)], axis=1)
        expected = fields.reshape(-1).astype(np.uint8).view(small).astype(np.int32)
        data = data_of(type, (256 * per,), BYTES.tobytes())
        assert data.astype(np.int32).tolist() == expected.tolist()
        assert data.dtype == (np.uint8 if type is TensorType.UINT4 else np.int8)
        assert not data.flags.writeable

    @pytest.mark.parametrize("type", list(SUB_BYTE))
    @pytest.mark.parametrize("shape", [(1,), (3,), (3, 5), (7, 1, 3), (0, 4), ()])
    def test_any_number_of_values(self, type: TensorType, shape: tuple[int, ...]) -> None:
        bits, _ = SUB_BYTE[type]
        count = int(np.prod(shape))
        content = np.random.default_rng(count).integers(0, 256, -(-count * bits // 8), np.uint8)
        whole = data_of(type, (content.size * 8 // bits,), content.tobytes())
        data = data_of(type, shape, content.tobytes())
        assert data.shape == shape
        assert data.reshape(-1).tolist() == whole[:count].tolist()

    def test_a_buffer_of_another_size(self) -> None:
        with pytest.raises(
            tq.CorruptModelError, match=r"3 bytes, expected 2 for INT4 of shape \(3,\)"
        ):
            data_of(TensorType.INT4, (3,), bytes(3))


class TestFloats:
    @pytest.mark.parametrize(
        ("type", "stored", "small"),
        [
            (TensorType.BFLOAT16, np.arange(65536, dtype=np.uint16), "bfloat16"),
            (TensorType.FLOAT8_E4M3FN, BYTES, "float8_e4m3fn"),
            (TensorType.FLOAT8_E5M2, BYTES, "float8_e5m2"),
            (TensorType.FLOAT16, np.arange(65536, dtype=np.uint16), "float16"),
        ],
    )
    def test_every_bit_pattern(self, type: TensorType, stored: NDArray[Any], small: str) -> None:
        with np.errstate(invalid="ignore"):
            expected = stored.view(small_type(small)).astype(np.float32)
        model = tq.open(build.one(build.TensorSpec("w", stored.shape, type, data=stored)))
        tensor = model.tensors[0]
        with np.errstate(invalid="ignore"):
            real = tensor.dequantize()
        assert real.dtype == np.float32
        assert np.array_equal(real, expected, equal_nan=True)
        assert np.array_equal(np.signbit(real), np.signbit(expected))
        assert tensor.data.dtype.name == ("float16" if small == "float16" else "float32")
        assert type is TensorType.FLOAT16 or np.array_equal(tensor.stored, stored)

    def test_float32_stands_for_itself(self) -> None:
        values = np.array([1.5, -2.0], np.float32)
        tensor = tq.open(build.one(build.constant(values))).tensors[0]
        out = np.empty(2, np.float32)
        assert tensor.dequantize(out=out) is out
        assert out.tolist() == [1.5, -2]
        assert tensor.dequantize().flags.writeable

    def test_float64_would_lose_bits(self) -> None:
        tensor = tq.open(build.one(build.constant(np.zeros(2)))).tensors[0]
        with pytest.raises(tq.QuantizationError, match="this float64 tensor has no scale"):
            tensor.dequantize()


class TestStrings:
    def test_values(self) -> None:
        data = data_of(tflite.TensorType.STRING, (2, 2), packed(STRINGS))
        assert data.tolist() == [STRINGS[:2], STRINGS[2:]]
        assert data.dtype == object
        assert not data.flags.writeable

    def test_are_litert_s(self) -> None:
        content = build.one(
            build.TensorSpec("s", (4,), tflite.TensorType.STRING, data=packed(STRINGS))
        )
        assert oracle.interpreter(content).get_tensor(0).tolist() == STRINGS
        assert tq.open(content).tensors[0].data.tolist() == STRINGS

    @pytest.mark.parametrize("content", [b"", packed([])])
    def test_none(self, content: bytes) -> None:
        assert data_of(tflite.TensorType.STRING, (0,), content).shape == (0,)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"\1\0\0", "0 strings in 3 bytes, expected 2"),
            (packed([b"one"]), "1 string in 15 bytes, expected 2"),
            (np.array([-1, 8], "<i4").tobytes(), "-1 strings"),
            (np.array([2, 16], "<i4").tobytes(), "has 8 bytes, but its offsets take 16"),
            (
                np.array([2, 16, 17, 99], "<i4").tobytes() + b"ab",
                "string 2 is 99, expected 16 to 18",
            ),
            (np.array([2, 16, 18, 17], "<i4").tobytes() + b"ab", "string 2 is 17, .* rising"),
            (np.array([2, 0, 17, 18], "<i4").tobytes() + b"ab", "string 0 is 0"),
            (np.array([2, 16, -5, 18], "<i4").tobytes() + b"ab", "string 1 is -5"),
        ],
    )
    def test_bad_counts_and_offsets(self, content: bytes, message: str) -> None:
        with pytest.raises(tq.CorruptModelError, match=f"tensor 0 'w': .*{message}"):
            data_of(tflite.TensorType.STRING, (2,), content)


@pytest.mark.parametrize("type", [TensorType.RESOURCE, TensorType.VARIANT])
def test_what_has_no_values_says_so(type: TensorType) -> None:
    with pytest.raises(tq.UnsupportedError, match=f"a {type.name} has no values in a file"):
        data_of(type, (1,), b"1234")


def test_every_type_is_accounted_for() -> None:
    for type in TensorType:
        if type in (TensorType.RESOURCE, TensorType.VARIANT):
            continue
        assert storage.dtype_of(type) is not None
        assert storage.stored_dtype_of(type) is not None
        size = storage.stored_bytes(type, (4,))
        assert (size is None) == (type is TensorType.STRING)
        content = packed(STRINGS) if size is None else bytes(size)
        tensor = tq.open(build.one(build.TensorSpec("w", (4,), type, data=content))).tensors[0]
        assert tensor.dtype == tensor.data.dtype == storage.dtype_of(type)
        assert tensor.stored.dtype == storage.stored_dtype_of(type)
