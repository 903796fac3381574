"""docs/conformance.md names every call of the client, and tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.contract.conformance import NO_EFFECT, OUTSIDE, REFUSED, status_of, surface

ROW = re.compile(r"\| `(?P<call>[\w.]+)` \| (?P<status>.+?) \|(?: `(?P<test>[^`]+)`(?: and \d+ more)?)? ?\|")


@pytest.fixture(scope="module")
def rows(repository: Path) -> dict[str, tuple[str, str]]:
    """Return call -> status and test."""
    lines = (repository / "docs" / "conformance.md").read_text().splitlines()
    found = [match for line in lines if line.startswith("| `") and (match := ROW.fullmatch(line))]
    assert len(found) == sum(line.startswith("| `") for line in lines)
    return {match["call"]: (match["status"], match["test"] or "") for match in found}


def test_every_call_of_the_client_is_there(rows: dict[str, tuple[str, str]]) -> None:
    assert list(rows) == surface()


def test_no_call_has_two_statuses() -> None:
    assert not REFUSED.keys() & NO_EFFECT.keys()
    assert not OUTSIDE.keys() & (REFUSED.keys() | NO_EFFECT.keys())
    assert {*REFUSED, *NO_EFFECT, *OUTSIDE} <= set(surface())


def test_every_call_is_tested_or_says_why_not(rows: dict[str, tuple[str, str]]) -> None:
    for call, (status, test) in rows.items():
        if call in OUTSIDE:
            assert (status, test) == (f"outside: {OUTSIDE[call]}", ""), call
        else:
            assert status == status_of(call), call
            assert test, call


def test_the_tests_exist(rows: dict[str, tuple[str, str]], repository: Path) -> None:
    for _, test in rows.values():
        if test:
            file, name = test.split("::")
            tree = ast.parse((repository / "tests" / "contract" / file).read_text())
            assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, test
