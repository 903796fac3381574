"""One question to a machine, answered."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from harness.errors import HarnessError


class State(StrEnum):
    """How a question was answered."""

    OK = "ok"
    WARNING = "warning"  # works, but not as well as expected, or not for everything
    FAILED = "failed"
    ABSENT = "absent"  # not here, which is normal on many machines


@dataclass(frozen=True, kw_only=True)
class Check:
    """One question to a machine, answered.

    Attributes:
        found: what there is, in a few words.
        expected: what there should be; empty if that is what there is.
        hint: what to type or do.
        is_needed: without it the embedded simulator cannot be used here.
    """

    name: str
    state: State
    found: str
    expected: str = ""
    hint: str = ""
    is_needed: bool = False

    @property
    def is_fatal(self) -> bool:
        """Nothing can be driven here."""
        return self.is_needed and self.state is State.FAILED

    def as_dict(self) -> dict[str, Any]:
        """Return it, JSON ready."""
        return {
            "name": self.name,
            "state": str(self.state),
            "found": self.found,
            "expected": self.expected,
            "hint": self.hint,
            "is_needed": self.is_needed,
        }


def read_check(content: Any) -> Check:
    """Return a check that another machine has written down.

    Raises:
        HarnessError: it is none.
    """
    if not isinstance(content, dict):
        raise HarnessError(f"a check is {content!r}, expected an object")
    texts = {name: content.get(name, "") for name in ("name", "state", "found", "expected", "hint")}
    is_needed = content.get("is_needed", False)
    if not all(isinstance(text, str) for text in texts.values()) or not isinstance(is_needed, bool):
        raise HarnessError(f"a check has the values {texts}, expected text")
    if texts["state"] not in set(State):
        raise HarnessError(f"a check has the state {texts['state']!r}, expected {', '.join(State)}")
    return Check(**{**texts, "state": State(texts["state"])}, is_needed=is_needed)
