"""Every value that does not fit its wire type is refused, and every value that fits comes through unchanged."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import WireError
from harness.sim.calls import HANDLERS
from harness.sim.wire.messages import EpisodeSettings, Transform, VehicleControl
from harness.sim.wire.schema import SCHEMAS
from harness.sim.wire.types import (
    F32,
    F64,
    I32,
    MAX_LIST_ITEMS,
    MAX_TEXT_CHARACTERS,
    U8,
    U16,
    U32,
    U64,
    LongText,
    LooseF32,
    decoder,
    optional_to_wire,
)

INTEGERS = [
    (U8, 0, 2**8 - 1),
    (U16, 0, 2**16 - 1),
    (U32, 0, 2**32 - 1),
    (U64, 0, 2**64 - 1),
    (I32, -(2**31), 2**31 - 1),
]
TRANSFORM = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]


class Mixed(NamedTuple):
    count: U8
    names: list[str]
    size_m: F64 | None


@pytest.mark.parametrize(("hint", "low", "high"), INTEGERS)
def test_integers_have_a_range(hint: Any, low: int, high: int) -> None:
    decode = decoder(hint)
    assert [decode(low), decode(high)] == [low, high]
    for wrong in (low - 1, high + 1, 1.0, "1", True, None, [1]):
        with pytest.raises(WireError, match=r"expected an integer in"):
            decode(wrong)


@pytest.mark.parametrize("hint", [F32, F64])
@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -float("inf"), "1.0", None, True, [1.0], b"1"])
def test_floats_are_finite_numbers(hint: Any, wrong: Any) -> None:
    with pytest.raises(WireError, match="expected a finite number"):
        decoder(hint)(wrong)


def test_a_double_that_no_float32_holds_is_refused_where_float32_is_meant() -> None:
    assert decoder(F64)(1e300) == 1e300
    assert decoder(F32)(3.4e38) == 3.4e38
    for value in (1e300, -1e300, 3.5e38):
        with pytest.raises(WireError, match="fits a float32"):
            decoder(F32)(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e300])
def test_loose_floats_read_what_is_no_number_as_zero(value: float) -> None:
    assert decoder(LooseF32)(value) == 0.0
    with pytest.raises(WireError):
        decoder(LooseF32)("0")


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), st.integers(-(2**63), 2**64 - 1))
def test_numbers_come_through(number: float, integer: int) -> None:
    for hint in (F32, F64, LooseF32):
        assert decoder(hint)(number) == number
        assert decoder(hint)(integer) == float(integer)


@pytest.mark.parametrize(("hint", "right", "wrong"), [(bool, True, 1), (str, "a", b"a"), (bytes, b"a", "a")])
def test_plain_types_are_exact(hint: Any, right: Any, wrong: Any) -> None:
    assert decoder(hint)(right) == right
    with pytest.raises(WireError, match=f"expected {hint.__name__}"):
        decoder(hint)(wrong)


def test_texts_have_a_limit_unless_they_are_meant_to_be_long() -> None:
    longest = "x" * MAX_TEXT_CHARACTERS
    assert decoder(str)(longest) == longest
    with pytest.raises(WireError, match="of at most 4096 characters"):
        decoder(str)(longest + "x")
    assert decoder(LongText)(longest + "x") == longest + "x"
    with pytest.raises(WireError, match="expected str"):
        decoder(LongText)(b"x")


def test_optionals_are_tagged() -> None:
    decode = decoder(F64 | None)
    assert decode([False]) is None
    assert decode([True, 2.0]) == 2.0
    for wrong in ([], [True], [1, 2.0], [True, 1.0, 2.0], None, 2.0):
        with pytest.raises(WireError, match="optional"):
            decode(wrong)
    assert (optional_to_wire(None), optional_to_wire(0.0)) == ([False], [True, 0.0])


def test_lists_have_a_limit() -> None:
    assert decoder(list[U8])([1, 2]) == [1, 2]
    assert len(decoder(list[U8])([0] * MAX_LIST_ITEMS)) == MAX_LIST_ITEMS
    for wrong in ([0] * (MAX_LIST_ITEMS + 1), (1, 2), {"a": 1}, "ab"):
        with pytest.raises(WireError):
            decoder(list[U8])(wrong)


@pytest.mark.parametrize("wrong", [[], [[1.0, 2.0, 3.0]], [*TRANSFORM, 1], [[1.0, 2.0], [4.0, 5.0, 6.0]], None, "ab"])
def test_structs_have_exactly_their_fields(wrong: Any) -> None:
    with pytest.raises(WireError, match=r"with \d fields"):
        decoder(Transform)(wrong)


def test_a_struct_decodes_into_its_layout() -> None:
    transform = decoder(Transform)(TRANSFORM)
    assert (transform.location.x, transform.rotation.roll) == (1.0, 6.0)
    assert decoder(Mixed)([7, ["a", "b"], [True, 1.5]]) == Mixed(7, ["a", "b"], 1.5)


def test_a_refusal_shows_only_the_beginning_of_a_large_value() -> None:
    with pytest.raises(WireError) as caught:
        decoder(U8)("x" * 10_000_000)
    assert len(caught.value.message) < 200


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(),
    lambda children: st.lists(children, max_size=8),
    max_leaves=30,
)


@given(_JSON, st.sampled_from([Transform, VehicleControl, EpisodeSettings, list[U32], str, U8, F64 | None]))
def test_whatever_arrives_is_decoded_or_refused(value: Any, hint: Any) -> None:
    try:
        decoder(hint)(value)
    except WireError as error:
        assert "expected" in error.message


@given(
    st.tuples(
        *[st.floats(width=32, allow_nan=False, allow_infinity=False)] * 3, *[st.booleans()] * 3, st.integers(-1, 6)
    )
)
def test_what_is_encoded_decodes_to_itself(values: tuple[Any, ...]) -> None:
    control = VehicleControl(*values)
    assert decoder(VehicleControl)(msgpack.unpackb(msgpack.packb(control))) == control


def test_every_call_of_the_schema_has_a_handler_with_as_many_arguments() -> None:
    methods = SCHEMAS["0.9.16"].methods
    assert set(methods) == set(HANDLERS)
    for name, method in methods.items():
        assert HANDLERS[name].__code__.co_argcount == 1 + len(method.arguments), name
        returns_nothing = HANDLERS[name].__annotations__["return"] in ("None", "Later", "Later | None")
        assert returns_nothing == method.is_void, name
        for hint in method.arguments:
            assert callable(decoder(hint))
