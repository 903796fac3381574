"""Cuts a list in JSON into its pieces, so that a wrong one does not cost those beside it.

A decoder gives a million digits as a million objects; here a piece takes eight bytes, whatever it is.
"""

from __future__ import annotations

import itertools
import re
from array import array
from collections.abc import Iterator
from typing import Final

# Three seconds to look through. A list of 64 MB with records has half as many, and a fiftieth of so many pieces.
_MOST_MARKS: Final = 20_000_000
_MOST_PIECES: Final = 1_000_000
# Texts are passed over whole, what stands in them marks nothing.
_MARK: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[{]+|[\]},]', re.DOTALL)
_TEXT: Final = ord('"')
_COMMA: Final = ord(",")
_OPENING: Final = b"[{"


def pieces(data: memoryview) -> Iterator[memoryview] | None:
    """Return the pieces of a list, each as it stands; None if there is too much in it to look through.

    Args:
        data: a list that is complete JSON.
    """
    bounds = _bounds(data)
    if bounds is None:
        return None
    return (data[begin + 1 : end] for begin, end in itertools.pairwise(bounds))


def _bounds(data: memoryview) -> array[int] | None:
    """Return the places of the brackets of the list and of the commas between its pieces."""
    bounds = array("Q", [0])
    depth = 0
    for number, mark in enumerate(_MARK.finditer(data)):
        if number >= _MOST_MARKS or len(bounds) > _MOST_PIECES:
            return None
        place = mark.start()
        char = data[place]
        if char == _COMMA:
            if depth == 1:
                bounds.append(place)
        elif char in _OPENING:
            depth += mark.end() - place
        elif char != _TEXT:
            depth -= 1
    bounds.append(len(data) - 1)
    return bounds
