"""Calls that no honest client makes, derived from the schema: every argument of every call and batch command in turn.

A call is the name of a method and its arguments as msgpack packs them. What is added to the schema is walked as well.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from harness.sim.wire.schema import Schema
from harness.sim.wire.types import MAX_TEXT_CHARACTERS

NAN, INF = float("nan"), float("inf")
# What a float may be: of these, the decoder accepts the large ones that a float32 holds, and the world must bear them.
FLOATS: tuple[Any, ...] = (NAN, INF, -INF, 1e39, -1e300, 3.4e38, -3.4e38, 2**64 - 1, -(2**63), 0.0, 1e-45)
NO_FLOATS: tuple[Any, ...] = (None, "1.0", b"\x00", [], [0.5], True)
INTEGERS: tuple[Any, ...] = (
    -1,
    0,
    255,
    65_535,
    2**31 - 1,
    2**32 - 1,
    2**64 - 1,
    -(2**63),
    NAN,
    1.5,
    None,
    "1",
    [],
    True,
)
TEXTS: tuple[Any, ...] = ("", "\x00", "x\ny", "../nowhere/x", "n\u00e4h\U0001f697", "nan", "x" * MAX_TEXT_CHARACTERS)
NO_TEXTS: tuple[Any, ...] = ("x" * (MAX_TEXT_CHARACTERS + 1), None, 1, NAN, b"\xff", [], ["x"])
NO_BOOLS: tuple[Any, ...] = (None, 0, 1, "true", NAN, [])
NO_LISTS: tuple[Any, ...] = (None, 1, NAN, "x", b"", [None], [[]], [NAN], [[[[[]]]]])
DEEP: list[Any] = []
for _ in range(300):
    DEEP = [DEEP]

Known = Mapping[Any, Any]


def valid(hint: Any, known: Known) -> Any:
    """Return a value of a wire type that the server accepts.

    Args:
        known: wire type -> value, for what means something: an actor's id, a blueprint.
    """
    if hint in known:
        return known[hint]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return {float: 0.1, int: 1, str: "x"}[arguments[0]]
    if origin is list:
        return [valid(arguments[0], known)]
    if origin is not None:
        return [True, valid(arguments[0], known)]
    if hint is Any:
        return []
    return {bool: True, str: "x", bytes: b"x"}.get(hint) or [valid(field, known) for field in _fields(hint)]


def spoiled(hint: Any, known: Known) -> Iterator[Any]:
    """Yield values of a wire type with one thing about them that is wrong, extreme or odd."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        yield from (*FLOATS, *NO_LISTS, DEEP)
    elif origin is Annotated:
        yield from {float: (*FLOATS, *NO_FLOATS), int: INTEGERS, str: (*TEXTS, *NO_TEXTS)}[arguments[0]]
    elif origin is list:
        yield from (*NO_LISTS, [], [valid(arguments[0], known)] * 100, DEEP)
        yield from ([item] for item in spoiled(arguments[0], known))
    elif origin is not None:
        yield from (None, [], [True], [False], [False, 1], [1, 1], [True, 1, 1], NAN)
        yield from ([True, value] for value in spoiled(arguments[0], known))
    elif hint in (bool, str, bytes):
        yield from NO_BOOLS if hint is bool else (*TEXTS, *NO_TEXTS)
    else:
        whole = valid(hint, known)
        yield from (None, [], whole[:-1], [*whole, 0], 1, "x", NAN, DEEP)
        for index, field in enumerate(_fields(hint)):
            yield from ([*whole[:index], value, *whole[index + 1 :]] for value in spoiled(field, known))


def _fields(layout: Any) -> list[Any]:
    return list(typing.get_type_hints(layout, include_extras=True).values())


def hostile_calls(schema: Schema, known: Known) -> Iterator[tuple[str, list[Any]]]:
    """Yield every call of a schema with each of its arguments spoiled, too few of them, and too many."""
    for name, method in schema.methods.items():
        whole = [valid(hint, known) for hint in method.arguments]
        yield name, whole
        yield name, [*whole, 1]
        if whole:
            yield name, whole[:-1]
        for index, hint in enumerate(method.arguments):
            for value in spoiled(hint, known):
                yield name, [*whole[:index], value, *whole[index + 1 :]]


def hostile_commands(schema: Schema, known: Known) -> Iterator[list[Any]]:
    """Yield every batch command of a schema with each part of its body spoiled, and commands that are none."""
    for index, layout in schema.commands.items():
        yield [[index, valid(layout, known)]]
        for body in spoiled(layout, known):
            yield [[index, body]]
    yield from (None, [], [[]], [[99, []]], [["0", []]], [[-1, [1]]], [[NAN, [1]]], DEEP, "x", 7)  # type: ignore[misc]
