"""An examination on stdout."""

from __future__ import annotations

import json

import pytest

from harness.jobs.checks.check import Check, State
from harness.render_doctor import print_checks, print_document, print_nodes, summary
from harness.stages.doctor_node import NodeReport

LONG = "word " * 60
CHECKS = [
    Check(name="Python", state=State.OK, found="3.11.7", hint="not to be shown"),
    Check(name="GPU", state=State.ABSENT, found="no nvidia-smi", expected="none needed", hint="make doctor GPU=1"),
    Check(name="import carla", state=State.FAILED, found=f"{LONG}\x1b[31m[bold]\nend", is_needed=True),
]
SILENT = NodeReport(
    partition="cpu",
    job_id="17",
    node="",
    is_answered=False,
    checks=(Check(name="probe job", state=State.WARNING, found="pending", hint="squeue -p cpu"),),
)


def test_checks_are_aligned_lines_and_only_trouble_has_hints(capsys: pytest.CaptureFixture[str]) -> None:
    print_checks("this machine", CHECKS)
    assert capsys.readouterr().out.splitlines() == [
        "this machine",
        "  ok      Python        3.11.7",
        "  absent  GPU           no nvidia-smi",
        "                        expected: none needed",
        "                        try: make doctor GPU=1",
        f"  failed  import carla  {LONG}[31m[bold] end",
    ]


def test_node_without_an_answer_is_named_by_its_partition(capsys: pytest.CaptureFixture[str]) -> None:
    print_nodes([SILENT])
    assert capsys.readouterr().out.startswith("partition cpu: no answer\n  warning probe job  pending\n")


def test_document_holds_everything(capsys: pytest.CaptureFixture[str]) -> None:
    print_document("vm", CHECKS, [SILENT], 1)
    document = json.loads(capsys.readouterr().out)
    assert (document["command"], document["status"], document["exit_code"]) == ("doctor", "error", 1)
    assert document["data"]["checks"] == [check.as_dict() for check in CHECKS]
    (node,) = document["data"]["nodes"]
    assert (node["partition"], node["job_id"], node["is_answered"]) == ("cpu", "17", False)
    assert document["errors"] == [f"this machine: import carla: {LONG}[31m[bold] end"]


@pytest.mark.parametrize(("code", "status"), [(0, "success"), (3, "partial"), (1, "error")])
def test_status_follows_the_exit_code(code: int, status: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_document("vm", CHECKS[:1], [], code)
    assert json.loads(capsys.readouterr().out)["status"] == status


def test_last_line_says_what_it_means() -> None:
    assert summary(CHECKS[:2], 0) == "1 ok, 1 absent; the embedded simulator can be used: make eval"
    assert summary(SILENT.checks, 3) == "1 warning; not every partition has answered"
    assert summary(CHECKS, 1).endswith("nothing can be driven there before this is right: import carla")
