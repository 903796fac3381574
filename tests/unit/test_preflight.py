"""Preflight refuses what cannot work, in one line, on any Python that may be found on a machine."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from harness import preflight
from harness.preflight import Facts, main, problem

FITS = Facts("Linux", "x86_64", (3, 11), ("glibc", "2.36"), True)


@pytest.mark.parametrize("version", [(3, 11), (3, 12)])
def test_supported_machine_has_no_problem(version: tuple[int, int]) -> None:
    assert problem(FITS._replace(version=version, libc=("glibc", "2.31"))) is None


@pytest.mark.parametrize(
    ("change", "found", "expected", "advice"),
    [
        ({"system": "Darwin", "machine": "arm64"}, "Darwin arm64", "Linux x86_64", "WSL 2"),
        ({"machine": "aarch64"}, "Linux aarch64", "Linux x86_64", "x86_64 container"),
        ({"system": "Windows", "machine": "AMD64"}, "Windows AMD64", "Linux x86_64", "WSL 2"),
        ({"version": (3, 10)}, "Python 3.10", "3.11 or 3.12", "make setup PYTHON="),
        ({"version": (3, 13)}, "Python 3.13", "3.11 or 3.12", "apt-get install python3.11-venv"),
        ({"libc": ("glibc", "2.28")}, "glibc 2.28", "glibc 2.31 or newer", "RHEL 9"),
        ({"libc": ("", "")}, "no glibc", "glibc 2.31 or newer", "container"),
        ({"has_venv": False}, "Python 3.11 has no ensurepip", ".venv", "apt-get install python3.11-venv"),
    ],
)
def test_problem_names_found_expected_and_next(
    change: dict[str, object], found: str, expected: str, advice: str
) -> None:
    reason = problem(FITS._replace(**change))
    assert reason is not None
    assert "\n" not in reason
    assert reason.index(found) < reason.index(expected) < reason.index(advice)


def answering(monkeypatch: pytest.MonkeyPatch, machines: dict[str, Facts]) -> None:
    """Let preflight find exactly these interpreters."""
    monkeypatch.setattr(preflight, "probe", machines.get)


def test_first_interpreter_that_fits_is_chosen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answering(monkeypatch, {"python3.11": FITS, "python3": FITS._replace(version=(3, 13))})
    assert main([""]) == 0
    assert capsys.readouterr() == ("python3.11\n", "")


def test_only_the_named_interpreter_is_tried(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answering(monkeypatch, {"python3.12": FITS, "old": FITS._replace(version=(3, 9))})
    assert main(["old"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: found Python 3.9, expected 3.11 or 3.12")
    assert err.count("\n") == 1


def test_refusal_names_the_best_interpreter_that_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answering(monkeypatch, {"python3.11": FITS._replace(has_venv=False), "python3": FITS._replace(version=(3, 13))})
    assert main([]) == 2
    assert "Python 3.11 has no ensurepip" in capsys.readouterr().err


def test_program_that_does_not_run_is_one_line(tmp_path: Path) -> None:
    broken = tmp_path / "python3.11"
    broken.write_text("#!/bin/sh\nexit 127\n")
    broken.chmod(0o755)
    for python in (broken, tmp_path / "absent"):
        command = [sys.executable, "-I", preflight.__file__, str(python)]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (answer.returncode, answer.stdout) == (2, "")
        assert answer.stderr.startswith(f"error: {python} does not run, expected Python 3.11 or 3.12")
        assert answer.stderr.count("\n") == 1


@pytest.mark.parametrize("script", ["exit 0", "echo 5", "echo '[1, 2, 3, 4, 5]'", "printf '\\377'", "sleep 30"])
def test_program_that_is_no_python_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], script: str
) -> None:
    monkeypatch.setattr(preflight, "PROBE_LIMIT_S", 0.5)
    program = tmp_path / "python3.11"
    program.write_text(f"#!/bin/sh\nexec {script}\n" if script.startswith("sleep") else f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    assert main([str(program)]) == 2
    assert capsys.readouterr().err.startswith(f"error: {program} does not run, expected Python 3.11 or 3.12")


def test_real_interpreter_fits() -> None:
    command = [sys.executable, "-I", preflight.__file__, sys.executable]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, f"{sys.executable}\n", "")


def test_source_is_python_3_6() -> None:
    ast.parse(Path(preflight.__file__).read_text(), feature_version=(3, 6))
