"""A comparison as plain data: flat records, JSON, and the node data of Model Explorer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from .measures import Channels, Measures

if TYPE_CHECKING:
    from .results import Comparison, TensorComparison

_FACTS = (
    "name", "subgraph_index", "index", "role", "operator", "operator_index", "type", "scheme",
    "shape", "reference_name", "reference_type", "matched_by", "layout", "not_finite", "note",
)  # fmt: skip
MEASURES = tuple(field.name for field in fields(Measures))
"""The names of the measures."""
COLUMNS = (*_FACTS, *MEASURES, "worst_channel", "worst_channel_sqnr")
CHANNEL_COLUMNS = ("name", "index", "channel", *MEASURES)
"""The keys of `record`, and of `channel_records`, in order."""


def record(tensor: TensorComparison) -> dict[str, Any]:
    """Return the comparison of a tensor as a flat dictionary; see `Comparison.to_records`."""
    channels = tensor.channels
    worst = None if channels is None else channels.worst
    return (
        {name: getattr(tensor, name) for name in _FACTS}
        | {"shape": list(tensor.shape)}
        | {name: getattr(tensor.measures, name) for name in MEASURES}
        | {
            "worst_channel": worst,
            "worst_channel_sqnr": None if channels is None else float(channels.sqnr[worst]),
        }
    )


def channel_records(tensor: TensorComparison) -> Iterator[dict[str, Any]]:
    """Yield a flat dictionary for each channel of a tensor."""
    for number, measures in enumerate(tensor.channels or ()):
        facts = {"name": tensor.name, "index": tensor.index, "channel": number}
        yield facts | {name: getattr(measures, name) for name in MEASURES}


def json_data(comparison: Comparison, tensors: Iterable[TensorComparison]) -> dict[str, Any]:
    """Return a comparison as what JSON can hold: infinity is a string, NaN is null.

    Parameters
    ----------
    comparison : Comparison
    tensors : iterable of TensorComparison
        Those of its constants that are wanted, in their order.
    """
    weights = comparison.weights
    return {
        "reference": comparison.reference,
        "quantized": comparison.quantized,
        "matched": len(comparison.tensors),
        "others": comparison.others,
        "weights": None if weights is None else _measures(weights),
        "tensors": (_tensor(each) for each in tensors),
        "activations": (_tensor(each) for each in comparison.activations),
        "unmatched": (
            {
                "side": each.side,
                "name": each.name,
                "shape": list(each.shape),
                "type": each.type,
                "reason": each.reason,
            }
            for each in comparison.unmatched
        ),
    }


def _tensor(tensor: TensorComparison) -> dict[str, Any]:
    facts = {name: getattr(tensor, name) for name in _FACTS} | {"shape": list(tensor.shape)}
    channels = None if tensor.channels is None else _channels(tensor.channels)
    return facts | _measures(tensor.measures) | {"channels": channels}


def _measures(measures: Measures) -> dict[str, Any]:
    return {name: _number(getattr(measures, name)) for name in MEASURES}


def _channels(channels: Channels) -> dict[str, Any]:
    """Return the measures of channels as columns."""
    columns = {name: _numbers(getattr(channels, name)) for name in MEASURES}
    return {"axis": channels.axis} | columns


def _numbers(column: NDArray[Any]) -> list[Any]:
    return [_number(value) for value in column.tolist()]


def _number(value: float | None) -> Any:
    if value is None or math.isnan(value):
        return None
    return value if math.isfinite(value) else str(value)


_COLOURS = {
    "sqnr": ((10, "#d73027"), (20, "#fc8d59"), (30, "#fee08b"), (40, "#d9ef8b"), (1e9, "#91cf60")),
    "at-ends": ((0.001, "#91cf60"), (0.01, "#fee08b"), (0.1, "#fc8d59"), (1, "#d73027")),
}
"""The upper bounds of values, and the colour of a node up to each."""


def node_data(comparison: Comparison, measure: str, names: Sequence[str]) -> dict[str, Any]:
    """Return what Google's Model Explorer lays over the graph of the quantized model.

    Parameters
    ----------
    comparison : Comparison
    measure : str
        "sqnr": the SQNR of each operator's output in dB if activations were recorded, else the
        lowest of its constants; "at-ends": likewise the largest share of values at the ends of the
        range, from 0 to 1.
    names : sequence of str
        The names of the model's subgraphs.

    Returns
    -------
    dict
        For each graph, by its name, the values of its nodes, by the operators' indices, and the
        thresholds of their colours. Format and names: google-ai-edge/model-explorer,
        src/server/package/src/model_explorer/node_data_builder.py (ModelNodeData), and
        src/builtin-adapter/direct_flatbuffer_to_json_graph_convert.cc (GetSubgraphName).
        What is exact has no number in dB, and is the text "exact".
    """
    nodes: dict[int, dict[int, list[float]]] = {index: {} for index in range(len(names))}
    for tensor in comparison.activations or comparison.tensors:
        value = tensor.sqnr if measure == "sqnr" else tensor.measures.at_ends
        if value is not None and tensor.operator_index is not None:
            nodes[tensor.subgraph_index].setdefault(tensor.operator_index, []).append(value)
    worst = min if measure == "sqnr" else max
    colours = _COLOURS[measure]
    return {
        _graph_name(index, names[index]): {
            "results": {
                str(operator): _node(worst(values), colours[-1][1])
                for operator, values in sorted(of_graph.items())
            },
            "thresholds": [{"value": bound, "bgColor": colour} for bound, colour in colours],
        }
        for index, of_graph in nodes.items()
        if of_graph
    }


def _node(value: float, best: str) -> dict[str, Any]:
    if math.isfinite(value):
        return {"value": round(value, 4)}
    if value > 0:
        return {"value": "exact", "bgColor": best}
    return {"value": "-inf", "bgColor": _COLOURS["sqnr"][0][1]}


def _graph_name(index: int, name: str) -> str:
    """Return the name under which Model Explorer shows a subgraph."""
    return name or ("main" if not index else f"subgraph_{index}")
