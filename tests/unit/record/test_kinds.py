"""What each kind of value accepts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from harness.record.kinds import Array, Dictionary, Kind, ListOf, Scalar, describe

CASES: list[tuple[Kind, list[Any], list[Any]]] = [
    (Scalar("bool"), [True, np.bool_(False)], [0, 1.0, "True", None]),
    (Scalar("int"), [0, -3, np.int64(7)], [True, 1.0, "1", None]),
    (Scalar("float"), [0.5, 3, np.float32(1.0), np.int8(1)], [True, math.nan, math.inf, "1", None, np.bool_(True)]),
    (Scalar("float", may_be_inf=True), [math.inf, -math.inf], [math.nan, None]),
    (Scalar("float", may_be_none=True), [None, 1.0], [math.inf]),
    (Scalar("str"), ["", "x"], [b"x", None, 1]),
    (Scalar("str", may_be_none=True), [None], [0]),
    (ListOf(Scalar("int")), [[], [1, 2]], [(1, 2), [1.0], None, np.array([1])]),
    (ListOf(Scalar("float"), 3), [[1, 2.0, 3.0]], [[1.0, 2.0], [1.0, 2.0, math.nan]]),
    (Dictionary(Scalar("float")), [{}, {"a": 1.0}], [{"a": None}, {1: 1.0}, []]),
    (Dictionary(None), [{"a": None, "b": [1]}], [None, {1: 2}]),
    (
        Array("float32", (None, 2), 3),
        [np.zeros((1, 2), np.float32), np.zeros((3, 2), np.float32)],
        [
            np.zeros((0, 2), np.float32),
            np.zeros((4, 2), np.float32),
            np.zeros((1, 3), np.float32),
            np.zeros((1, 2)),
            np.zeros(2, np.float32),
            np.full((1, 2), np.nan, np.float32),
            [[0.0, 0.0]],
        ],
    ),
    (Array("float32", (4, 4)), [np.eye(4, dtype=np.float32)], [np.eye(3, dtype=np.float32)]),
]


@pytest.mark.parametrize(("kind", "good", "bad"), CASES, ids=[str(kind) for kind, _, _ in CASES])
def test_kind(kind: Kind, good: list[Any], bad: list[Any]) -> None:
    assert [value for value in good if not kind.accepts(value)] == []
    assert [value for value in bad if kind.accepts(value)] == []


def test_kinds_and_values_in_words() -> None:
    assert str(Scalar("float", may_be_none=True)) == "finite float or None"
    assert str(ListOf(ListOf(Scalar("float"), 3))) == "list of list of 3 finite float"
    assert str(Array("float16", (None, 2), 41)) == "finite float16 array of shape (1..41, 2)"
    assert describe(np.full((2, 2), np.nan)) == "float64 array of shape (2, 2), not all finite"
    assert describe(np.zeros(2, np.float16)) == "float16 array of shape (2,)"
    assert describe({"a": 1}) == "dict of 1"
    assert describe("x" * 99) == f"str '{'x' * 40}'"
