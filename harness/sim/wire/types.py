"""Wire types and the codec that is derived from them.

A message layout is a `NamedTuple` whose annotations are the wire types of this module; `decoder(layout)`
builds the function that turns what msgpack delivers into that tuple and refuses everything else.
Encoding needs no code: msgpack writes a NamedTuple as the array of its fields, which is CARLA's class layout.

Numbers are checked where they enter: `F32` refuses NaN, infinity and what does not fit a float32 (it would be infinite
on its way back to the client), `F64` refuses NaN and infinity, and `LooseF32`, used where the Traffic Manager is known
to send NaN, reads what `F32` refuses as 0. Texts are names and the like, of `MAX_TEXT_CHARACTERS` at most, because
the simulator may keep them; `LongText` has no limit but that of the request.
"""

from __future__ import annotations

import math
import reprlib
import types
import typing
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any

from harness.errors import WireError

F32 = Annotated[float, "f32"]
F64 = Annotated[float, "f64"]
LooseF32 = Annotated[float, "loose f32"]
U8 = Annotated[int, "u8"]
U16 = Annotated[int, "u16"]
U32 = Annotated[int, "u32"]
U64 = Annotated[int, "u64"]
I32 = Annotated[int, "i32"]
LongText = Annotated[str, "long text"]

Decoder = Callable[[Any], Any]

_INTEGER_RANGES = {
    "u8": (0, 0xFF),
    "u16": (0, 0xFFFF),
    "u32": (0, 0xFFFFFFFF),
    "u64": (0, 0xFFFFFFFFFFFFFFFF),
    "i32": (-0x80000000, 0x7FFFFFFF),
}
_F32_MAX = 3.4028234663852886e38
MAX_LIST_ITEMS = 100_000
MAX_TEXT_CHARACTERS = 4096


def optional_to_wire(value: Any | None) -> list[Any]:
    """Return the wire form of ``optional<T>``."""
    return [False] if value is None else [True, value]


def _refuse(value: object, expected: str) -> WireError:
    return WireError(f"found {reprlib.repr(value)[:80]} of type {type(value).__name__}, expected {expected}")


def _decode_f64(value: Any) -> float:
    if type(value) is float and math.isfinite(value):
        return value
    if type(value) is int:  # msgpack integers have 64 bits at most
        return float(value)
    raise _refuse(value, "a finite number")


def _decode_f32(value: Any) -> float:
    if type(value) is float and -_F32_MAX <= value <= _F32_MAX:
        return value
    if type(value) is int:
        return float(value)
    raise _refuse(value, "a finite number that fits a float32")


def _decode_loose_f32(value: Any) -> float:
    return 0.0 if type(value) is float and not -_F32_MAX <= value <= _F32_MAX else _decode_f32(value)


_FLOAT_DECODERS = {"f32": _decode_f32, "f64": _decode_f64, "loose f32": _decode_loose_f32}


def _integer_decoder(name: str) -> Callable[[Any], int]:
    low, high = _INTEGER_RANGES[name]

    def decode(value: Any) -> int:
        if type(value) is not int or not low <= value <= high:
            raise _refuse(value, f"an integer in [{low}, {high}]")
        return value

    return decode


def _plain_decoder(expected: type) -> Decoder:
    def decode(value: Any) -> Any:
        if type(value) is not expected:
            raise _refuse(value, expected.__name__)
        return value

    return decode


def _decode_text(value: Any) -> str:
    if type(value) is not str or len(value) > MAX_TEXT_CHARACTERS:
        raise _refuse(value, f"str of at most {MAX_TEXT_CHARACTERS} characters")
    return value


def _list_decoder(item: Decoder) -> Decoder:
    def decode(value: Any) -> list[Any]:
        if type(value) is not list or len(value) > MAX_LIST_ITEMS:
            raise _refuse(value, f"a list of at most {MAX_LIST_ITEMS} items")
        return [item(element) for element in value]

    return decode


def _optional_decoder(item: Decoder) -> Decoder:
    def decode(value: Any) -> Any:
        if type(value) is list and value and value[0] is False:
            return None
        if type(value) is list and len(value) == 2 and value[0] is True:
            return item(value[1])
        raise _refuse(value, "an optional value [false] or [true, value]")

    return decode


def _struct_decoder(layout: type[Any]) -> Decoder:
    hints = typing.get_type_hints(layout, include_extras=True)
    fields = [decoder(hint) for hint in hints.values()]
    count = len(fields)
    make = layout._make

    def decode(value: Any) -> Any:
        if type(value) is not list or len(value) != count:
            raise _refuse(value, f"{layout.__name__} with {count} fields")
        return make([field(element) for field, element in zip(fields, value, strict=True)])

    return decode


@cache
def decoder(hint: Any) -> Decoder:
    """Return the function that decodes one value of wire type `hint`.

    Args:
        hint: a wire type of this module, ``bool``, ``str``, ``bytes``, a NamedTuple layout, ``list[T]`` or ``T |
        None``.

    Returns:
        A function from what msgpack delivers to the Python value; it raises `WireError` with what it found and
        expected.
    """
    origin = typing.get_origin(hint)
    arguments = typing.get_args(hint)
    if origin is Annotated:
        name = arguments[1]
        if name == "long text":
            return _plain_decoder(str)
        return _FLOAT_DECODERS[name] if name in _FLOAT_DECODERS else _integer_decoder(name)
    if origin is list:
        return _list_decoder(decoder(arguments[0]))
    if origin in (typing.Union, types.UnionType):
        return _optional_decoder(decoder(arguments[0]))
    if hint is str:
        return _decode_text
    if hint in (bool, bytes):
        return _plain_decoder(hint)
    if hint is Any:
        return lambda value: value
    return _struct_decoder(hint)
