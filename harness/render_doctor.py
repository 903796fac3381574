"""How an examination looks on stdout: a JSON document, or text for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from harness.errors import EXIT_COMPLETE, EXIT_PARTIAL
from harness.render import print_json

if TYPE_CHECKING:
    from harness.jobs.checks.check import Check
    from harness.stages.doctor_node import NodeReport

_COLOURS = {"ok": "green", "warning": "yellow", "failed": "bold red", "absent": "dim"}
_STATUS = {EXIT_COMPLETE: "success", EXIT_PARTIAL: "partial"}
_STATE_COLUMNS = max(map(len, _COLOURS)) + 1


def print_document(machine: str, checks: Sequence[Check], nodes: Sequence[NodeReport], code: int) -> None:
    """Print what was found as one JSON document.

    Args:
        machine: its name.
        code: exit code of the command.
    """
    places = [("this machine", checks), *((f"partition {node.partition}", node.checks) for node in nodes)]
    print_json(
        {
            "version": 1,
            "command": "doctor",
            "status": _STATUS.get(code, "error"),
            "exit_code": code,
            "data": {
                "machine": machine,
                "checks": [check.as_dict() for check in checks],
                "nodes": [
                    {
                        "partition": node.partition,
                        "job_id": node.job_id,
                        "node": node.node,
                        "is_answered": node.is_answered,
                        "checks": [check.as_dict() for check in node.checks],
                    }
                    for node in nodes
                ],
            },
            "errors": [
                f"{place}: {check.name}: {_one_line(check.found)}"
                for place, found in places
                for check in found
                if check.state == "failed"
            ],
        }
    )


def print_nodes(nodes: Sequence[NodeReport]) -> None:
    """Print what was found on the nodes."""
    for node in nodes:
        where = f"node {node.node}" if node.node else "no answer"
        print_checks(f"partition {node.partition}: {where}", node.checks)


def print_checks(title: str, checks: Sequence[Check]) -> None:
    """Print checks below a title; what is not as expected with what to do about it."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    width = max((len(check.name) for check in checks), default=0)
    indent = " " * (2 + _STATE_COLUMNS + width + 2)
    lines = [Text(_one_line(title), style="bold")]
    for check in checks:
        line = Text("  ")
        line.append(f"{check.state:<{_STATE_COLUMNS}}", style=_COLOURS[check.state])
        line.append(f"{check.name:<{width}}  {_one_line(check.found)}")
        lines.append(line)
        if check.state != "ok":
            more = (("expected", check.expected), ("try", check.hint))
            lines += [Text(f"{indent}{word}: {_one_line(text)}", style="dim") for word, text in more if text]
    for line in lines:
        # Broken lines would only be harder to read and to grep.
        console.print(line, soft_wrap=True)


def print_summary(checks: Sequence[Check], code: int) -> None:
    """Print the last line."""
    click.echo(summary(checks, code))


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def summary(checks: Sequence[Check], code: int) -> str:
    """Return the counts, and what they mean."""
    counts = Counter(str(check.state) for check in checks)
    text = ", ".join(f"{counts[state]} {state}" for state in _COLOURS if counts[state])
    if code == EXIT_COMPLETE:
        return f"{text}; the embedded simulator can be used: make eval"
    if code == EXIT_PARTIAL:
        return f"{text}; not every partition has answered"
    failed = dict.fromkeys(check.name for check in checks if check.is_fatal)
    return f"{text}; nothing can be driven there before this is right: {', '.join(failed)}"
