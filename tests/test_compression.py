"""Weights that TensorFlow Lite Micro compresses, against its kernels and its compressor."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import tflite_quant as tq
from tests import build, oracle, tflm
from tests.build import OperatorSpec, SubgraphSpec, TensorSpec
from tests.compressed import (
    CODES,
    LOOKUP_TABLE,
    ONE_TABLE,
    PLAIN,
    PRUNING,
    TYPES,
    WEIGHTS,
    Case,
    clustered,
    compress,
    decode_form,
    huffman_case,
    layer,
    metadata_form,
    plain_form,
    pruned_case,
    table_case,
)
from tests.everything import ask_everything
from tflite_quant.command import json_text, model_screen, tensor_screen


def ours(model: bytes) -> NDArray[Any]:
    with tq.open(model) as opened:
        return opened.outputs[0].data


def compare_with_tflm(cases: Sequence[Case]) -> None:
    """Run DECODE alone, which makes many tensors at once: its outputs are what the kernels make."""
    groups = [cases[start : start + 30] for start in range(0, len(cases), 30)]
    models = [build.model(build.decoded(*(case.part for case in group))) for group in groups]
    answers = tflm.answers([tflm.Job(model, []) for model in models])
    for group, model, answer in zip(groups, models, answers, strict=True):
        assert not answer.refusal, answer.refusal
        with tq.open(model) as opened:
            assert len(answer.outputs) == len(group)
            for case, tensor, expected in zip(group, opened.outputs, answer.outputs, strict=True):
                found = tensor.data
                assert found.dtype.newbyteorder("=") == expected.dtype
                assert found.shape == expected.shape
                assert found.tobytes() == build.little_endian(expected).tobytes(), case.target


NUMBERS = (TYPES.INT8, TYPES.INT16, TYPES.INT32, TYPES.INT64, TYPES.FLOAT32)


class TestKernels:
    def test_lookup_tables(self) -> None:
        """Kernels for 2, 3 and 4 bits read words; channels begin anywhere within them."""
        shapes = ((1,), (3, 5), (4, 33), (5, 47), (2, 3, 70), (7, 1, 3, 9), (3, 100))
        cases = [
            table_case(shape, type, axis, bits, size, seed)
            for seed, (shape, type, bits) in enumerate(
                itertools.product(shapes, NUMBERS, range(1, 8))
            )
            for axis in (None, 0, len(shape) - 1)
            for size in (1 << bits, max((1 << bits) - 1, 1))
            if type != TYPES.INT32 or bits in (1, 5)
        ]
        compare_with_tflm(cases)

    def test_pruning(self) -> None:
        zeros: tuple[tuple[Sequence[int], int, int | None, list[int]], ...] = (
            ((3, 5), TYPES.INT8, None, [-7]),
            ((3, 5), TYPES.INT8, 0, [0, -128, 127]),
            ((4, 3), TYPES.INT8, 1, [1, 0, -5]),
            ((2, 3, 9), TYPES.INT8, 2, [*range(-4, 5)]),
            ((4, 3), TYPES.INT8, 1, [6]),
            ((1, 40), TYPES.INT8, 0, [9]),
        )
        plain = (
            pruned_case(shape, type, axis, [], seed)
            for seed, (shape, type) in enumerate(
                itertools.product(((1,), (3, 5), (2, 2, 33)), NUMBERS)
            )
            for axis in (None, 0)
        )
        compare_with_tflm([*plain, *(pruned_case(*each, 3) for each in zeros)])

    def test_huffman(self) -> None:
        random = np.random.default_rng(1)
        cases = []
        for shape, spread in (((4, 50), 3.0), ((1000,), 20.0), ((2, 3), 0.6), ((7, 9), 40.0)):
            values = np.clip(random.normal(0, spread, shape).round(), -128, 127)
            for first, further in ((1, 1), (3, 2), (5, 4), (8, 8), (10, 3)):
                for wide, dtype in ((16, np.int8), (32, np.int8), (32, np.int16)):
                    cases.append(huffman_case(values.astype(dtype), wide, first, further))
        far = (random.normal(0, 3, (30, 20)).round() * 991).astype(np.int16)
        cases.append(huffman_case(far, 32, 4, 3))
        cases.append(huffman_case(np.full((5, 3), -77, np.int8), 16, 1, 1))
        compare_with_tflm(cases)

    def test_booleans(self) -> None:
        """TFLM gives no output of booleans to Python."""
        case = table_case((3, 5), TYPES.BOOL, None, 1, 2, 1)
        table = np.frombuffer(case.ancillary[16:], np.uint8).astype(bool)
        indices = np.unpackbits(np.frombuffer(case.encoded, np.uint8))[:15]
        assert np.array_equal(ours(case.model()), table[indices].reshape(3, 5))
        pruned = ours(pruned_case((3, 5), TYPES.BOOL, None, [], 3).model())
        assert pruned.dtype == bool


def specs_of(model: tq.Model) -> list[tuple[int, int, int, int | None]]:
    """Give what can be compressed: subgraph, tensor, bits, axis.

    Weights with at most 128 different values, along the axis that the kernels look at.
    """
    found = {}
    for graph in model.subgraphs:
        for operator in graph.operators:
            for tensor in (operator.weights, operator.bias):
                if tensor is None or not tensor.is_constant or tensor.is_sparse:
                    continue
                if tensor.type.value not in NUMBERS or not tensor.size or tensor.external_buffer:
                    continue
                scheme = tensor.quantization
                axis = scheme.axis if isinstance(scheme, tq.PerAxis) else None
                if not isinstance(scheme, tq.NotQuantized | tq.PerAxis | tq.PerTensor) or (
                    axis is not None and axis not in (0, tensor.ndim - 1)
                ):
                    continue
                data = tensor.data
                slices = [data] if axis is None else np.moveaxis(data, axis, 0)
                most = max(np.unique(part).size for part in slices)
                if most <= 128:
                    bits = max(int(most - 1).bit_length(), 1)
                    found[graph.index, tensor.index] = (bits, axis)
    return [(*place, *how) for place, how in found.items()]


class TestCompressor:
    @pytest.mark.parametrize("by_hand", [False, True])
    def test_a_layer(self, by_hand: bool) -> None:
        content = decode_form() if by_hand else compress(PLAIN, [(0, 1, 2, 0)])
        with tq.open(content) as model:
            tensor = model["weights_decoded"]
            assert np.array_equal(tensor.data, WEIGHTS)
            assert tensor.data.dtype == np.int8
            with tq.open(PLAIN) as plain:
                assert np.array_equal(tensor.dequantize(), plain["weights"].dequantize())
            assert tensor.compression == tq.Compression(
                "lookup table", "DECODE", 256 + 80, 1024, 2, 16, 4, 0
            )
            assert tensor.compression.ratio == pytest.approx(1024 / 336)
            assert tensor.converted is model.operators[0]
            roles = [each.role for each in model]
            assert roles == ["input", "encoded", "output", "bias", "encoded", "weight"]
            assert tensor.is_compressed
            assert not model["weights"].is_compressed
            assert model["weights"].compression is None
            for name in ("weights", "weights_ancillary"):
                with pytest.raises(tq.UnsupportedError, match="operator 0 TFLM_DECODE"):
                    model[name].dequantize()
            with pytest.raises(tq.UnsupportedError, match="not constant"):
                tensor.stored  # noqa: B018

    def test_schemes(self) -> None:
        """A constant that is an output is decoded last."""
        cases = []
        for axis, bits in itertools.product((0, 1, None), (1, 3, 4, 6, 7)):
            count = {0: 16, 1: 20, None: 1}[axis]
            weights = clustered((16, 20), axis, min(1 << bits, 40), bits)
            scales = [0.01] * count, [0] * count
            tensor = build.constant(weights, *scales, axis=axis or 0, name="weights")
            # TFLM needs an input in a model that its compressor wrote.
            plain = build.model(SubgraphSpec([tensor, TensorSpec("in")], [1], [0]))
            cases.append((weights, compress(plain, [(0, 0, bits, axis)])))
        answers = tflm.answers([tflm.Job(model, seed=1) for _, model in cases])
        for (weights, model), answer in zip(cases, answers, strict=True):
            assert np.array_equal(answer.outputs[0], weights), answer.refusal
            with tq.open(model) as opened:
                assert np.array_equal(opened["weights_decoded"].data, weights)

    def test_every_model(self, model_paths: list[Path]) -> None:
        """All weights with few values are compressed: they are decoded, and TFLM's outputs same."""
        pairs = []
        for path in model_paths:
            content = path.read_bytes()
            with tq.open(content) as plain:
                specs = specs_of(plain)
                # The compressor finds no bytes that lie behind the FlatBuffer.
                if not specs or plain.structure.buffers.has("offset"):
                    continue
                model = compress(content, specs)
                if keeps_operators(plain, model):
                    pairs.append((path, content, model))
                    compare_values(plain, model, specs)
        assert len(pairs) >= 7
        jobs = [tflm.Job(one, seed=1) for _, *both in pairs for one in both]
        answers = tflm.answers(jobs)
        ran = 0
        for (path, *_), plain_answer, answer in zip(
            pairs, answers[::2], answers[1::2], strict=True
        ):
            if plain_answer.refusal or answer.refusal:
                continue
            ran += 1
            for expected, found in zip(plain_answer.outputs, answer.outputs, strict=True):
                assert np.array_equal(expected, found), path
        assert ran >= 4


def keeps_operators(plain: tq.Model, content: bytes) -> bool:
    """Tell whether the compressor left the operators alone.

    It does not know the older of the two fields with an operator's code, and writes others then.
    """
    with tq.open(content) as model:
        return all(
            [one.name for one in before.operators]
            == [one.name for one in after.operators if one.name != "TFLM_DECODE"]
            for before, after in zip(plain.subgraphs, model.subgraphs, strict=True)
        )


def compare_values(
    plain: tq.Model, content: bytes, specs: Sequence[tuple[int, int, int, int | None]]
) -> None:
    """Compare weights before and after compression."""
    seen = set()
    with tq.open(content) as model:
        for graph in model.subgraphs:
            for tensor in graph:
                operator = tensor.converted
                if not tensor.is_compressed or operator is None:
                    continue
                position = [each and each.index for each in operator.outputs].index(tensor.index)
                encoded = operator.inputs[2 * position]
                assert encoded is not None
                original = plain.subgraphs[graph.index][encoded.index]
                seen.add((graph.index, encoded.index))
                assert np.array_equal(tensor.data, original.data)
                assert tensor.data.dtype == original.data.dtype
                if len(original.consumers) == 1:
                    assert tensor.role == original.role
                if original.is_quantized or original.type is tq.TensorType.FLOAT32:
                    assert np.array_equal(tensor.dequantize(), original.dequantize())
        assert model.summary().scheme == plain.summary().scheme
        # What a runtime has no kernel for, the compressed model may not have.
        found, expected = (
            Counter(one.id for one in tq.check(each) if one.id != "TQ211")
            for each in (model, plain)
        )
        assert found == expected
    # The compressor leaves out a tensor whose buffer it would have to keep for another one.
    assert seen <= {(graph, tensor) for graph, tensor, *_ in specs}
    assert seen


class TestMetadata:
    """The older form, which the wheel's build of TFLM decodes."""

    def test_tflm_computes_the_same(self) -> None:
        cases = []
        for axis, bits in itertools.product((0, None), range(1, 8)):
            weights = clustered((16, 37), axis, min(1 << bits, 30), bits)
            cases.append((weights, plain_form(weights, axis), metadata_form(weights, bits, axis)))
        jobs = [tflm.Job(one, seed=2) for _, *both in cases for one in both]
        answers = tflm.answers(jobs)
        for (weights, plain, model), expected, found in zip(
            cases, answers[::2], answers[1::2], strict=True
        ):
            assert np.array_equal(expected.outputs[0], found.outputs[0]), found.refusal
            with tq.open(model) as opened, tq.open(plain) as before:
                tensor = opened["weights"]
                assert np.array_equal(tensor.data, weights)
                assert np.array_equal(tensor.dequantize(), before["weights"].dequantize())
                assert np.array_equal(np.asarray(tensor), weights)
                assert tensor.data.dtype == np.int8
                assert not tensor.data.flags.writeable

    def test_facts(self) -> None:
        with tq.open(metadata_form()) as model:
            tensor = model["weights"]
            assert tensor.is_compressed
            assert tensor.compression == tq.Compression(
                "lookup table", "COMPRESSION_METADATA", 256 + 64, 1024, 2, 16, 4, 0
            )
            assert tensor.stored.shape == (256,)
            assert tensor.stored.dtype == np.uint8
            assert tensor.nbytes == 256
            assert tensor.role == "weight"
            assert model["in"].compression is None
            assert model.summary().compressed == (("lookup table", 1, 320, 1024),)
            assert not tq.check(model, target="tflm")

    def test_litert_sees_the_bytes(self) -> None:
        """As it does not know the metadata, it refuses a constant of another size."""
        content = metadata_form()
        with pytest.raises(tq.TFLiteError, match="256 bytes, which LiteRT refuses"):
            tq.Interpreter(model_content=content).get_tensor(1)
        interpreter = oracle.litert().Interpreter
        with oracle.quiet(), pytest.raises((ValueError, RuntimeError)):
            interpreter(model_content=content).allocate_tensors()

    def test_a_constant_of_the_same_size(self) -> None:
        """LiteRT takes the index for the value."""
        one = np.array([[77]], np.int8)
        content = metadata_form(one, 1, None, tables=b"\x4d\x00")
        theirs = oracle.interpreter(content)
        with oracle.quiet():
            theirs.allocate_tensors()
        assert tq.Interpreter(model_content=content).get_tensor(1) == theirs.get_tensor(1) == 0
        with tq.open(content) as model:
            assert model["weights"].data == 77

    @pytest.mark.parametrize(
        ("metadata", "error"),
        [
            (b"\0" * 4, "has 4 bytes"),
            (b"\xff" * 64, "the table is past the end"),
            (build.compression_metadata([(9, 2, 2)]), "tensor 9 and buffer 2"),
            (build.compression_metadata([(-1, 2, 2)]), "tensor -1"),
            (build.compression_metadata([(1, 99, 2)]), "buffer 99"),
            (build.compression_metadata([(1, 2**32 - 1, 2)]), "buffer 4294967295"),
            (build.compression_metadata([(1, 2, 2), (1, 2, 2)]), "two lookup tables"),
            (build.compression_metadata(None, [(1, 2, 2)]), "2 subgraphs"),
            (build.compression_metadata([(1, 2, 2)], version=2), "of version 2, expected 1"),
        ],
    )
    def test_broken_metadata(self, metadata: bytes, error: str) -> None:
        """The model opens; no value of a constant is given, since it may be compressed."""
        with tq.open(metadata_form(metadata=metadata)) as model:
            tensor = model["weights"]
            for ask in (lambda: tensor.data, lambda: tensor.compression, tensor.dequantize):
                with pytest.raises(tq.TFLiteError, match=error):
                    ask()
            assert not tensor.is_compressed
            assert model["in"].compression is None
            if "version" not in error:
                assert "TQ301" in [finding.id for finding in tq.check(model)]

    @pytest.mark.parametrize("bits", [0, 8, 255])
    def test_impossible_bits(self, bits: int) -> None:
        metadata = build.compression_metadata([(1, 2, bits)])
        with tq.open(metadata_form(metadata=metadata)) as model:
            assert model["weights"].is_compressed
            with pytest.raises(tq.CorruptModelError, match="expected 1 to 7"):
                model["weights"].data  # noqa: B018

    def test_metadata_of_other_names_mean_nothing(self) -> None:
        tensor = build.constant(np.array([1, 2], np.int8))
        content = build.one(tensor, buffers=[b"\xff" * 40], metadata={"COMPRESSION": 1})
        with tq.open(content) as model:
            assert model.tensors[0].data.tolist() == [1, 2]


class TestDisagreement:
    """Kernels take the number of tables from the scales; the compressor writes what it was told."""

    def test_it_is_refused(self) -> None:
        pairs = []
        for scales, axis in ((1, 0), (1, 1), (16, 1), (16, None)):
            plain = layer(clustered((16, 8), axis, 4, 5), [0.01] * scales)
            pairs.append((plain, compress(plain, [(0, 1, 2, axis)])))
        answers = tflm.answers([tflm.Job(one, seed=3) for both in pairs for one in both])
        for (_, content), before, after in zip(pairs, answers[::2], answers[1::2], strict=True):
            # Not what it was: this is why it is refused.
            assert not after.refusal
            assert not np.array_equal(before.outputs[0], after.outputs[0])
            with tq.open(content) as model:
                tensor = model["weights_decoded"]
                assert tensor.is_compressed
                for name in ("data", "compression"):
                    with pytest.raises(tq.CorruptModelError, match="a device computes with other"):
                        getattr(tensor, name)
                with pytest.raises(tq.CorruptModelError, match="a device computes with other"):
                    tensor.dequantize()
                assert model.summary().compressed == (("unreadable", 1, 0, 0),)
                (finding,) = [finding for finding in tq.check(model) if finding.id == "TQ301"]
                assert finding.severity is tq.Severity.ERROR

    def test_the_field_was_once_zero(self) -> None:
        """Along the last axis, for one scale, and where the first axis has one index."""
        cases = []
        for shape, axis in (((6, 9), 1), ((6, 9), None), ((1, 3, 8), 2), ((5, 5), 1), ((1, 4), 0)):
            case = table_case(shape, TYPES.INT8, axis, 3, 7, 4)
            header = bytearray(case.ancillary)
            header[5] &= 7
            cases.append(Case(case.target, case.encoded, bytes(header)))
        compare_with_tflm(cases)


def refused(case: Case, error: str, kind: type[tq.TFLiteError] = tq.CorruptModelError) -> None:
    """Check that a tensor is not decoded, and that all that ask for its values are told."""
    with tq.open(case.model()) as model:
        tensor = model.outputs[0]
        with pytest.raises(kind, match=error):
            tensor.data  # noqa: B018
        with pytest.raises(tq.TFLiteError):
            tensor.dequantize()
        assert tensor.is_compressed
    assert ask_everything(case.model())


class TestHostile:
    def test_headers(self) -> None:
        good = table_case((4, 6), TYPES.INT8, 0, 3, 8, 1)

        def changed(ancillary: bytes) -> Case:
            return Case(good.target, good.encoded, ancillary)

        content = good.ancillary
        refused(changed(content[:15]), "have 15 bytes")
        refused(changed(b"\x00\x02" + content[2:]), "of version 2", tq.UnsupportedError)
        refused(changed(content[:4] + b"\x02" + content[5:]), "version 2", tq.UnsupportedError)
        refused(changed(b"\x7f" + content[1:]), "scheme custom 127", tq.UnsupportedError)
        refused(changed(b"\xc8" + content[1:]), "scheme custom 200", tq.UnsupportedError)
        refused(changed(b"\x05" + content[1:]), "scheme unknown 5", tq.UnsupportedError)
        refused(changed(content[:5] + b"\x00" + content[6:]), "indices of 0 bits")
        refused(changed(content[:5] + b"\x73" + content[6:]), "along axis 7")
        refused(changed(content[:-1]), "have 31 bytes, expected 32")
        refused(changed(content[:6] + b"\xff" + content[7:]), "expected 1_020")
        refused(changed(content[:6] + b"\x03" + content[7:]), "index [3-7] into a lookup table")

    def test_a_scheme_that_is_not_known_is_named(self) -> None:
        case = table_case((4, 6), TYPES.INT8, 0, 3, 8, 1)
        model = Case(case.target, case.encoded, b"\xc8" + case.ancillary[1:]).model()
        with tq.open(model) as opened:
            compression = opened.outputs[0].compression
            assert compression is not None
            assert compression.scheme == "custom 200"
            assert opened.summary().compressed[0][:2] == ("custom 200", 1)

    def test_sizes(self) -> None:
        good = table_case((4, 6), TYPES.INT8, 0, 3, 8, 1)
        refused(
            Case(good.target, good.encoded[:-1], good.ancillary), "8 encoded bytes, expected at"
        )
        pruned = pruned_case((4, 6), TYPES.INT16, None, [], 1)
        refused(Case(pruned.target, pruned.encoded[:2], pruned.ancillary), "2 encoded bytes")
        refused(Case(pruned.target, pruned.encoded, pruned.ancillary[:-1]), "pruning has left")

    @pytest.mark.parametrize(
        "shape", [(2**31 - 1,), (2**31 - 1,) * 3, (-1, 4), (1,) * 70, (65536,) * 4, (0, -3)]
    )
    def test_shapes(self, shape: tuple[int, ...]) -> None:
        for case in (
            table_case((4, 6), TYPES.INT8, None, 3, 8, 1),
            pruned_case((4, 6), TYPES.INT8, None, [], 1),
            huffman_case(np.array([1, 2, 3], np.int8), 16, 2, 2),
        ):
            target = TensorSpec("w", shape, TYPES.INT8, None, 0.5, 0)
            refused(Case(target, case.encoded, case.ancillary), "encoded bytes|no array")

    def test_scales(self) -> None:
        good = table_case((4, 6, 5), TYPES.INT8, None, 3, 8, 1)
        for count, axis, kind, error in (
            (6, 1, tq.UnsupportedError, "along axis 1"),
            (3, 0, tq.CorruptModelError, "3 scales along axis 0"),
            (4, -1, tq.UnsupportedError, "along axis -1"),
            (4, 9, tq.UnsupportedError, "along axis 9"),
        ):
            target = TensorSpec("w", (4, 6, 5), TYPES.INT8, None, [1] * count, [0] * count, axis)
            for ancillary in (good.ancillary, bytes([PRUNING]) + good.ancillary[1:]):
                refused(Case(target, good.encoded, ancillary), error, kind)

    def test_types(self) -> None:
        good = table_case((4, 6), TYPES.INT8, None, 3, 8, 1)
        target = TensorSpec("w", (4, 6), TYPES.UINT8)
        refused(Case(target, good.encoded, good.ancillary), "no UINT8", tq.UnsupportedError)
        good = huffman_case(np.array([1, 2, 3], np.int8), 16, 2, 2)
        target = TensorSpec("w", (3,), TYPES.INT16)
        refused(Case(target, good.encoded, good.ancillary), "entries of 16 bits for INT16")

    def test_zero_points(self) -> None:
        good = pruned_case((4, 6), TYPES.INT8, None, [], 1)
        for type, zeros, error in (
            (TYPES.INT8, [128], "not in their range"),
            (TYPES.INT8, [1, 2], "1 scales and 2 zero points"),
            (TYPES.BOOL, [1], "zero point that is not 0"),
        ):
            target = TensorSpec("w", (4, 6), type, None, [0.5], zeros)
            refused(Case(target, good.encoded, good.ancillary), error)

    def test_codes(self) -> None:
        values = np.random.default_rng(2).normal(0, 9, 200).round().astype(np.int8)
        good = huffman_case(values, 16, 4, 3)

        def changed(table: Sequence[int], encoded: bytes = good.encoded) -> Case:
            content = np.array(table, "<u2").tobytes()
            return Case(good.target, encoded, good.ancillary[:16] + content)

        refused(Case(good.target, good.encoded[:-40], good.ancillary), "end within the code")
        refused(Case(good.target, good.encoded, good.ancillary[:20]), "outside the tables")
        refused(changed([0x8000] * 16), "has no bits")
        refused(changed([0x0000] * 16, bytes(200)), "end within the code|outside")
        refused(changed([0x07FF] * 16), "outside the tables")

    def test_any_byte(self) -> None:
        """Whatever a byte is, there are values of the right shape, or one of our errors."""
        random = np.random.default_rng(3)
        values = random.normal(0, 9, (4, 9)).round().astype(np.int8)
        cases = (
            table_case((4, 9), TYPES.INT8, 0, 3, 8, 1),
            pruned_case((4, 9), TYPES.INT8, 0, [1, 2, 3, 4], 1),
            huffman_case(values, 16, 4, 3),
            huffman_case(values.astype(np.int16), 32, 4, 3),
        )
        given = 0
        for case in cases:
            for place in (*range(7), *range(16, min(len(case.ancillary), 24))):
                for byte in {0, 1, 128, 255, case.ancillary[place] ^ 1}:
                    ancillary = bytearray(case.ancillary)
                    ancillary[place] = byte
                    with (
                        tq.open(Case(case.target, case.encoded, bytes(ancillary)).model()) as model,
                        contextlib.suppress(tq.TFLiteError),
                    ):
                        assert model.outputs[0].data.shape == (4, 9)
                        given += 1
        assert given > 50

    def test_what_is_not_constant_is_not_decoded(self) -> None:
        """As in TFLM, which refuses such a model."""
        for tensors, inputs in (
            (
                [
                    TensorSpec("e", (8,), TYPES.UINT8),
                    TensorSpec("a", (20,), TYPES.UINT8, b"\0" * 20),
                ],
                [0, 1],
            ),
            ([TensorSpec("e", (8,), TYPES.UINT8, b"\0" * 8)], [0]),
            ([TensorSpec("e", (8,), TYPES.UINT8, b"\0" * 8)], [0, -1]),
            ([], []),
        ):
            index = len(tensors)
            step = build.decode(inputs, [index])
            content = build.model(
                SubgraphSpec([*tensors, TensorSpec("w", (4,))], (), [index], [step])
            )
            with tq.open(content) as model:
                assert model.outputs[0].compression is None
                assert model.outputs[0].converted is None
            assert ask_everything(content)

    def test_a_decode_of_a_decode(self) -> None:
        case = table_case((4, 8), TYPES.INT8, None, 3, 8, 1)
        graph = build.decoded(case.part)
        graph.tensors = [*graph.tensors, TensorSpec("again", (4, 6))]
        graph.operators = [*graph.operators, build.decode([2, 1], [3])]
        with tq.open(build.model(graph)) as model:
            assert model.tensors[3].converted is None
            assert model.tensors[0].role == "encoded"

    def test_bytes_that_others_read_too_are_values(self) -> None:
        case = table_case((4, 8), TYPES.INT8, None, 3, 8, 1)
        graph = build.decoded(case.part)
        graph.tensors[0].scale, graph.tensors[0].zero_point = 0.5, 0
        graph.tensors = [*graph.tensors, TensorSpec("y", (12,), TYPES.UINT8, None, 0.5, 0)]
        graph.operators = [*graph.operators, OperatorSpec(CODES.RELU, [0], [3])]
        with tq.open(build.model(graph)) as model:
            assert model.tensors[0].role == "constant"
            assert model.tensors[0].dequantize().shape == (12,)
            assert model.tensors[2].data.shape == (4, 8)

    def test_a_tensor_with_its_scales_in_itself(self) -> None:
        """Also where nobody knows which constants are compressed."""
        case = table_case((4, 8), TYPES.INT8, None, 3, 8, 1)
        case.target.details, case.target.scale = build.blockwise(2, None, 2), None
        graph = build.decoded(case.part)
        for content in (
            build.model(graph),
            build.model(graph, buffers=[bytes(4)], metadata={"COMPRESSION_METADATA": 1}),
        ):
            with tq.open(content) as model:
                assert model.outputs[0].is_compressed
                assert model.outputs[0].quantization.scales is None
            assert ask_everything(content)

    def test_many_that_share_their_bytes(self) -> None:
        """The check stops to decode before it takes long; what is asked for alone is decoded."""
        encoded = bytes(1 << 18)
        tensors = [TensorSpec("e", (len(encoded),), TYPES.UINT8, encoded)]
        steps, outputs = [], []
        for number in range(300):
            table = build.ancillary(LOOKUP_TABLE, (1 | ONE_TABLE << 4, 2), bytes([number % 99, 1]))
            tensors.append(TensorSpec("a", (len(table),), TYPES.UINT8, table))
            tensors.append(TensorSpec("w", (1 << 21,), TYPES.INT8, None, 0.5, 0))
            steps.append(build.decode([0, len(tensors) - 2], [len(tensors) - 1]))
            outputs.append(len(tensors) - 1)
        with tq.open(build.model(SubgraphSpec(tensors, (), outputs, steps))) as model:
            assert not [one for one in tq.check(model) if one.id == "TQ301"]
            assert model.outputs[5].data.sum() == 5 << 21
            with pytest.raises(tq.CorruptModelError, match="limit"):
                tq.c_header(model, tensors=["w"])


class TestScreens:
    def test_show(self) -> None:
        with tq.open(decode_form()) as model:
            lines = "\n".join(model_screen.model_lines(model, model.subgraphs))
            assert "compressed: 1 lookup table (336 bytes for 1024)" in lines
            assert "weights INT8" in lines
            assert "INT8 compressed" in lines
            assert "full integer int8" in lines
            about = "\n".join(tensor_screen.tensor_lines(model["weights_decoded"]))
            assert "lookup table, 2 bits, 16 tables of 4 values along axis 0" in about
            assert "1,024 values" in about
            about = "\n".join(tensor_screen.tensor_lines(model["weights"]))
            assert "no real values: its bytes are encoded" in about
            assert "real range" not in about
            assert "compressed" in repr(model["weights_decoded"])
        assert repr(model["out"]).startswith("Tensor(2, 'out'")

    def test_summary(self) -> None:
        with tq.open(decode_form()) as model, tq.open(PLAIN) as plain:
            ours, theirs = model.summary(), plain.summary()
            for field in ("scheme", "variable_types", "compute_types", "quantized_operators"):
                assert getattr(ours, field) == getattr(theirs, field)
            assert ours.compressed == (("lookup table", 1, 336, 1024),)
            assert theirs.compressed == ()
            assert "compressed: 1 lookup table (336 bytes for 1024)" in str(ours)
            assert "compressed" not in str(theirs)
            assert ours.custom_operators == (("TFLM_DECODE", 1),)

    def test_json_records_and_html(self) -> None:
        with tq.open(decode_form()) as model:
            data = json.loads("".join(json_text.model_json(model, model.subgraphs)))
            tensors = data["subgraphs"][0]["tensors"]
            assert tensors[5]["compression"] == {
                "scheme": "lookup table", "form": "DECODE", "nbytes": 336, "dense_nbytes": 1024,
                "bits": 2, "tables": 16, "values": 4, "axis": 0,
            }  # fmt: skip
            assert "compression" not in tensors[1]
            assert data["summary"]["compressed"] == [["lookup table", 1, 336, 1024]]
            values = json.loads("".join(json_text.tensor_json(model["weights_decoded"])))
            assert values["data"] == WEIGHTS.tolist()
            records = model.to_records()
            assert [one["compression"] for one in records] == [None] * 5 + ["lookup table"]
            assert records[1]["low"] is None
            assert "lookup table, 2 bits" in model["weights_decoded"]._repr_html_()
        with tq.open(metadata_form(tables=b"")) as model:
            (_, tensor, _) = model.tensors
            assert json_text.tensor_facts(tensor)["compression"] == {
                "scheme": "lookup table", "form": "COMPRESSION_METADATA", "nbytes": 256,
                "dense_nbytes": 1024, "bits": 2, "tables": 16, "values": 0, "axis": 0,
            }  # fmt: skip
            with pytest.raises(tq.CorruptModelError, match="index 3 into a lookup table of 0"):
                tensor.data  # noqa: B018

    def test_headers_have_the_values(self) -> None:
        with tq.open(decode_form()) as model, tq.open(metadata_form()) as older:
            for opened, name in ((model, "weights_decoded"), (older, "weights")):
                text = tq.c_header(opened, prefix="p", tensors=[name])
                body = text.split(f"int8_t p_{name}_data[1024] = {{", 1)[1].split("}", 1)[0]
                numbers = [int(part) for part in body.replace("\n", "").split(",") if part.strip()]
                assert numbers == WEIGHTS.reshape(-1).tolist()
            encoded = tq.c_header(model, prefix="p", tensors=["weights"])
            assert "weights: UINT8 of shape [256], encoded" in encoded
            assert "p_weights_scales" not in encoded


class TestChecks:
    def test_parameters_that_encoded_bytes_keep_are_no_fault(self) -> None:
        """The compressor leaves the scales of the weights where they were."""
        with tq.open(decode_form()) as model:
            assert model["weights"].is_quantized
            assert not tq.check(model, target="tflm")

    def test_weights_are_looked_at(self) -> None:
        """-128 is out of range for weights, and a channel of zeros is dead."""
        weights = WEIGHTS.copy()
        weights[3], weights[5, 5] = 0, -128
        plain = layer(weights, [0.01] * 16)
        for content in (plain, compress(plain, [(0, 1, 3, 0)])):
            found = [(one.id, one.found) for one in tq.check(content, target="tflm")]
            assert [id for id, _ in found] == ["TQ209", "TQ501"]

    def test_two_decodes_are_two_constants(self) -> None:
        """Both have no buffer of their own."""
        cases = [huffman_case(np.full((2, 2), value, np.int8), 16, 1, 1) for value in (-128, -128)]
        graph = build.decoded(*(case.part for case in cases))
        tensors = [*graph.tensors]
        tensors[2].name, tensors[5].name = "w0", "w1"
        tensors[3].shape, tensors[3].data = (8,), bytes(8)
        tensors += [TensorSpec(name, (1, 2), TYPES.INT8, None, 0.5, 0) for name in ("x", "y", "z")]
        steps = [
            OperatorSpec(CODES.FULLY_CONNECTED, [6, 2, -1], [7], version=4),
            OperatorSpec(CODES.FULLY_CONNECTED, [7, 5, -1], [8], version=4),
        ]
        content = build.model(SubgraphSpec(tensors, [6], [8], [*graph.operators, *steps]))
        found = [
            one.tensor.name
            for one in tq.check(content, target="tflm")
            if one.id == "TQ209" and one.tensor
        ]
        assert found == ["w0", "w1"]
