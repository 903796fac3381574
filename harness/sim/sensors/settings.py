"""Attributes of sensors as numbers: clients send text, and any text."""

from __future__ import annotations

import math
from collections.abc import Mapping

# Beyond every sensible distance, deviation or time, and far from where float32 ends.
_LARGEST = 1.0e9


def read_number(attributes: Mapping[str, str], name: str, default: float = 0.0, *, lowest: float = -_LARGEST) -> float:
    """Return an attribute as a number within [lowest, 1e9]; the default if it is missing or no number."""
    try:
        value = float(attributes.get(name, default))
    except ValueError:
        return default
    return min(max(value, lowest), _LARGEST) if math.isfinite(value) else default


def read_switch(attributes: Mapping[str, str], name: str) -> bool:
    """Return whether an attribute says true; CARLA's spellings are ``true`` and ``1``."""
    return attributes.get(name, "").strip().lower() in ("true", "1")
