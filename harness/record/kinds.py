"""Kinds of values in a frame: what each accepts, and in words what is wrong with a value."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np


class Kind(Protocol):
    """Something that a value may be."""

    def __str__(self) -> str:
        """Return what is expected."""

    def accepts(self, value: Any) -> bool:
        """Tell whether a value is of this kind."""


_TYPES: dict[str, Callable[[Any], bool]] = {
    "bool": lambda value: isinstance(value, bool | np.bool_),
    "int": lambda value: isinstance(value, int | np.integer) and not isinstance(value, bool),
    "float": lambda value: isinstance(value, float | int | np.floating | np.integer) and not isinstance(value, bool),
    "str": lambda value: isinstance(value, str),
}


@dataclass(frozen=True)
class Scalar:
    """One value; numpy's scalars count as Python's, and a whole number as a float."""

    type: Literal["bool", "int", "float", "str"]
    may_be_none: bool = False
    may_be_inf: bool = False

    def __str__(self) -> str:
        finite = "" if self.type != "float" or self.may_be_inf else "finite "
        return f"{finite}{self.type}{' or None' if self.may_be_none else ''}"

    def accepts(self, value: Any) -> bool:
        """Tell whether a value is of this kind."""
        if value is None:
            return self.may_be_none
        if not _TYPES[self.type](value):
            return False
        return self.type != "float" or math.isfinite(value) or (self.may_be_inf and not math.isnan(value))


@dataclass(frozen=True)
class ListOf:
    """A list, of a length if one is given."""

    item: Kind
    length: int | None = None

    def __str__(self) -> str:
        return f"list of {'' if self.length is None else f'{self.length} '}{self.item}"

    def accepts(self, value: Any) -> bool:
        """Tell whether a value is of this kind."""
        return (
            isinstance(value, list)
            and (self.length is None or len(value) == self.length)
            and all(map(self.item.accepts, value))
        )


@dataclass(frozen=True)
class Dictionary:
    """A dictionary by name, of one kind of values if one is given."""

    value: Kind | None

    def __str__(self) -> str:
        return f"dict of {self.value or 'anything'}"

    def accepts(self, value: Any) -> bool:
        """Tell whether a value is of this kind."""
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            return False
        return self.value is None or all(map(self.value.accepts, value.values()))


@dataclass(frozen=True)
class Array:
    """A numeric array of finite numbers; None in the shape leaves a length open, from 1 up to `most`."""

    dtype: str
    shape: tuple[int | None, ...]
    most: int = 0

    def __str__(self) -> str:
        lengths = ", ".join(f"1..{self.most}" if length is None else str(length) for length in self.shape)
        return f"finite {self.dtype} array of shape ({lengths})"

    def accepts(self, value: Any) -> bool:
        """Tell whether a value is of this kind."""
        if not isinstance(value, np.ndarray) or value.dtype != self.dtype or value.ndim != len(self.shape):
            return False
        lengths = zip(value.shape, self.shape, strict=True)
        fits = all(1 <= found <= self.most if wanted is None else found == wanted for found, wanted in lengths)
        return fits and bool(np.isfinite(value).all())


def describe(value: Any) -> str:
    """Return what a value is, in a few words."""
    if isinstance(value, np.ndarray):
        finite = "" if value.dtype.kind != "f" or np.isfinite(value).all() else ", not all finite"
        return f"{value.dtype} array of shape {value.shape}{finite}"
    if isinstance(value, list | dict | tuple):
        return f"{type(value).__name__} of {len(value)}"
    return f"{type(value).__name__} {str(value)[:40]!r}"
