"""`harness score` run in this process: what a user gets from files, as data and as text."""

from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner, Result

from harness.cli import cli


def score(*arguments: object) -> Result:
    """Run the command; errors are raised."""
    runner = CliRunner()
    return runner.invoke(cli, ["score", *map(str, arguments)], standalone_mode=False, catch_exceptions=False)


def document_of(*arguments: object) -> dict[str, Any]:
    """Return the ``data`` of the JSON document."""
    found: dict[str, Any] = json.loads(score(*arguments, "--output", "json").stdout)["data"]
    return found


def agent_of(*arguments: object) -> dict[str, Any]:
    """Return the only agent of the JSON document, the means of an incomplete set included."""
    (agent,) = document_of(*arguments, "--allow-partial")["agents"].values()
    assert isinstance(agent, dict)
    return agent
