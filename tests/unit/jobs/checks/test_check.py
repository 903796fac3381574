"""A check survives the way from a node to the login node, and nothing else passes for one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.jobs.checks.check import Check, State, read_check

CHECKS = st.builds(
    Check,
    name=st.text(),
    state=st.sampled_from(State),
    found=st.text(),
    expected=st.text(),
    hint=st.text(),
    is_needed=st.booleans(),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["name", "state", "found", "is_needed"]), inner),
)


@given(CHECKS)
def test_check_comes_back_as_it_was_written(check: Check) -> None:
    assert read_check(json.loads(json.dumps(check.as_dict()))) == check


@given(JSON)
def test_whatever_else_is_written_is_refused_in_words(content: object) -> None:
    try:
        check = read_check(content)
    except HarnessError:
        return
    assert isinstance(content, dict)
    assert check.state == content["state"]


@pytest.mark.parametrize("change", [{"state": "fine"}, {"found": 3}, {"is_needed": "yes"}])
def test_wrong_value_is_named(change: dict[str, object]) -> None:
    content = {**Check(name="disk", state=State.OK, found="room").as_dict(), **change}
    with pytest.raises(HarnessError, match="a check has the"):
        read_check(content)


def test_only_what_is_needed_and_failed_is_fatal() -> None:
    fatal = [
        (state, is_needed)
        for state in State
        for is_needed in (False, True)
        if Check(name="x", state=state, found="", is_needed=is_needed).is_fatal
    ]
    assert fatal == [(State.FAILED, True)]
