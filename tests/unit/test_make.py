"""The Makefile hands over what was typed, sets up once, and removes nothing that it should not.

`harness` and the Python interpreter are replaced by small strict programs that record their arguments.
"""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()

FAKE_HARNESS = """#!/usr/bin/env bash
printf '%s\\0' "$@" >"$RECORD"
echo 'from harness'
exit "${FAKE_EXIT:-0}"
"""

FAKE_PYTHON = """#!/usr/bin/env bash
case "$*" in
  -V) echo 'Python 3.11.0' ;;
  -c*) echo '["Linux", "x86_64", [3, 11], ["glibc", "2.36"], true]' ;;
  '-I -m venv'*) echo "$*" >>"$RECORD"; mkdir -p .venv/bin; cp "$0" .venv/bin/python; cp "$0" .venv/bin/harness ;;
  '-I -m pip install'*) echo "$*" >>"$RECORD"; sleep 0.2; exit "${FAKE_EXIT:-0}" ;;
  --version) echo 'harness 0.0.0' ;;
  *) echo "unexpected: $*" >&2; exit 99 ;;
esac
"""


class Checkout:
    """A copy of what make reads, in a folder whose name is awkward to quote."""

    def __init__(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "it's a $HOME; folder"
        self.record = tmp_path / "record"
        (self.folder / "harness").mkdir(parents=True)
        for name in ("Makefile", "pyproject.toml", "constraints.txt", "harness/preflight.py"):
            shutil.copy(ROOT / name, self.folder / name)
        self.python = self.program(tmp_path / "a python", FAKE_PYTHON)

    @staticmethod
    def program(path: Path, text: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
        return path

    def set_up(self) -> None:
        """Make a .venv that counts as ready and holds nothing but a recording harness."""
        self.program(self.folder / ".venv/bin/harness", FAKE_HARNESS)
        (self.folder / ".venv/.ready").write_text(f"{self.folder.resolve()}\n")

    def start(self, *words: str, **variables: str) -> subprocess.Popen[str]:
        environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "RECORD": str(self.record), **variables}
        command = ["make", "-C", str(self.folder), "--no-print-directory", *words]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True)

    def make(self, *words: str, typed: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        with self.start(*words, **variables) as process:
            out, err = process.communicate(typed, timeout=30)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def arguments(self) -> list[str]:
        """What the recording harness was called with last."""
        return self.record.read_text().split("\0")[:-1]

    def recorded(self) -> list[str]:
        """The commands that the recording interpreter was called with."""
        return self.record.read_text().splitlines() if self.record.exists() else []


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Checkout]:
    yield Checkout(tmp_path)
    assert not list(tmp_path.rglob("pwned"))


def test_plain_make_prints_every_verb_and_variable(checkout: Checkout) -> None:
    answer = checkout.make()
    assert answer.returncode == 0
    verbs = re.findall(r"^\.PHONY: ([a-z-]+)$", MAKEFILE, re.MULTILINE)
    assert len(verbs) >= 12
    for verb in verbs:
        assert re.search(rf"^  {verb} +[A-Z]", answer.stdout, re.MULTILINE), verb
    described = re.findall(r"^  ([A-Z_]+(?:, [A-Z_]+)*)  ", answer.stdout, re.MULTILINE)
    declared = re.findall(r"^(?:VALUES|SWITCHES) := (.*)$", MAKEFILE.replace("\\\n", ""), re.MULTILINE)
    assert sorted(", ".join(described).split(", ")) == sorted(" ".join(declared).split())


def test_nothing_typed_passes_no_option(checkout: Checkout) -> None:
    checkout.set_up()
    answer = checkout.make("eval")
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "from harness\n", "")
    assert checkout.arguments() == ["eval"]


@pytest.mark.parametrize(
    "value",
    [
        "two words ",
        "--looks-like-an-option",
        'it\'s "quoted" `touch pwned`; touch pwned & # not a comment',
        "$(touch pwned) $$(touch pwned) ${HOME} $HOME $@ %",
        "$(shell touch pwned)",
        "back\\slash\\",
        "two\nlines",
    ],
)
@pytest.mark.parametrize("origin", ["command line", "environment"])
def test_values_reach_eval_unchanged(checkout: Checkout, value: str, origin: str) -> None:
    checkout.set_up()
    own = ["BENCH", "ONLY", "SEEDS", "AGENT", "CONFIG", "RUN", "SIM"]
    launch = ["BACKEND", "PARTITION", "GPU", "CPU", "TIMEOUT", "TEMPLATE", "ACCOUNT", "QOS", "MEM", "CONSTRAINT"]
    variables = dict.fromkeys([*own, *launch, "JOBS", "OUTPUT"], value)
    if origin == "environment":
        answer = checkout.make("eval", **variables)
    else:
        answer = checkout.make("eval", *(f"{name}={value}" for name in variables))
    assert answer.returncode == 0, answer.stderr
    assert checkout.arguments() == ["eval", *(f"--{name.lower()}={value}" for name in variables)]


def test_empty_value_is_no_option(checkout: Checkout) -> None:
    checkout.set_up()
    assert checkout.make("eval", "BENCH=", SEEDS="").returncode == 0
    assert checkout.arguments() == ["eval"]


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        (["eval", "NEW=1", "PRINT_ONLY=1", "VERBOSE=1"], ["eval", "--new", "--verbose", "--print-only"]),
        (["eval", "NEW=0", "PRINT_ONLY=no", "VERBOSE=false"], ["eval"]),
        (["simulator", "TOWN=Own", "PORT=3000", "MAPS=m"], ["simulator", "--town=Own", "--port=3000", "--maps=m"]),
        (["routes", "TOWN=Own", "COUNT=8", "SEED=1"], ["routes", "sample", "--town=Own", "--count=8", "--seed=1"]),
        (
            ["routes", "BENCH=longest6", "FROM=a folder", "PRINT_ONLY=1", "TOWN=Own"],
            ["routes", "fetch", "--bench=longest6", "--from=a folder", "--print-only"],
        ),
        (["towns"], ["towns", "fetch"]),
        (["towns", "FROM=a.whl", "PRINT_ONLY=1"], ["towns", "fetch", "--from=a.whl", "--print-only"]),
        (["own-towns"], ["towns", "build"]),
        (["route-facts"], ["routes", "tabulate"]),
        (["route-facts", "BENCH=town13", "MAPS=m"], ["routes", "tabulate", "--bench=town13", "--maps=m"]),
        (["list", "OUTPUT=json"], ["list", "--output=json"]),
        (
            ["collect", "PARTITION=a,b", "REPETITIONS=3", "DATASET=set", "ROUTES=r", "ROOT=at", "DETACH=1"],
            ["collect", "--dataset=set", "--root=at", "--routes=r", "--repetitions=3", "--partition=a,b", "--detach"],
        ),
        (
            ["collect", "ONLY_TYPES=Cut", "WITHOUT_TYPES=Merge", "MAX_PER_TYPE=4", "SEED=2"],
            ["collect", "--only-types=Cut", "--without-types=Merge", "--max-per-type=4", "--seed=2"],
        ),
        (["status", "RUN=r", "WATCH=1"], ["status", "--run=r", "--watch"]),
        (["scancel", "ALL=1", "PRINT_ONLY=1"], ["scancel", "--all", "--print-only"]),
        (["clean-failed", "RUN=r", "CONFIRM=1"], ["clean-failed", "--run=r", "--confirm"]),
        (["clean-failed", "CONFIRM=1", "PRINT_ONLY=1"], ["clean-failed", "--confirm", "--print-only"]),
        (["doctor", "PARTITION=a"], ["doctor", "--partition=a"]),
        (
            ["doctor", "PARTITION=a,b", "ACCOUNT=u", "GPU=1", "QOS=q", "MEM=4G", "CONSTRAINT=big&fast", "PRINT_ONLY=1"],
            [
                "doctor",
                "--partition=a,b",
                "--account=u",
                "--gpu=1",
                "--qos=q",
                "--mem=4G",
                "--constraint=big&fast",
                "--print-only",
            ],
        ),
    ],
)
def test_verb_calls_its_command(checkout: Checkout, words: list[str], arguments: list[str]) -> None:
    checkout.set_up()
    assert checkout.make(*words).returncode == 0
    assert checkout.arguments() == arguments


@pytest.mark.parametrize("code", ["1", "2", "3"])
def test_eval_fails_when_harness_does(checkout: Checkout, code: str) -> None:
    checkout.set_up()
    answer = checkout.make("eval", FAKE_EXIT=code)
    assert (answer.returncode, answer.stdout) == (2, "from harness\n")
    assert f"Error {code}" in answer.stderr


def test_set_up_installs_the_tested_versions_once(checkout: Checkout) -> None:
    first = checkout.make("setup", f"PYTHON={checkout.python}")
    assert first.returncode == 0, first.stderr
    assert first.stderr.startswith("setting up .venv")
    assert first.stderr.count("\n") == 1
    assert first.stdout == ".venv is ready: Python 3.11.0, harness 0.0.0\n"
    assert checkout.recorded() == [
        "-I -m venv --clear .venv",
        "-I -m pip install -qq --disable-pip-version-check -c constraints.txt -e .[sim,dev]",
    ]
    assert checkout.make("setup").stderr == ""
    assert len(checkout.recorded()) == 2


def test_two_makes_at_once_set_up_once(checkout: Checkout) -> None:
    makes = [checkout.start("setup", f"PYTHON={checkout.python}") for _ in range(2)]
    for process in makes:
        process.communicate(timeout=30)
    assert [process.returncode for process in makes] == [0, 0]
    assert len(checkout.recorded()) == 2


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_changed_requirements_are_installed_into_the_same_venv(checkout: Checkout, name: str) -> None:
    checkout.make("setup", f"PYTHON={checkout.python}")
    # Later than any granularity of the file system's clock.
    later_s = time.time() + 2.0
    os.utime(checkout.folder / name, (later_s, later_s))
    assert checkout.make("setup", f"PYTHON={checkout.python}").returncode == 0
    assert checkout.recorded()[2] == "-I -m venv .venv"
    assert len(checkout.recorded()) == 4


def test_moved_folder_is_set_up_again(checkout: Checkout) -> None:
    checkout.make("setup", f"PYTHON={checkout.python}")
    checkout.folder = checkout.folder.rename(checkout.folder.with_name("elsewhere"))
    assert checkout.make("setup", f"PYTHON={checkout.python}").returncode == 0
    assert len(checkout.recorded()) == 4


@pytest.mark.parametrize("was_ready", [False, True])
def test_set_up_that_failed_starts_again_from_an_empty_venv(checkout: Checkout, was_ready: bool) -> None:
    if was_ready:
        checkout.make("setup", f"PYTHON={checkout.python}")
        (checkout.folder / "constraints.txt").touch()
    failed = checkout.make("setup", f"PYTHON={checkout.python}", FAKE_EXIT="1")
    assert failed.returncode == 2
    assert "error: pip could not install constraints.txt" in failed.stderr
    assert not (checkout.folder / ".venv/.ready").exists()
    assert checkout.make("setup", f"PYTHON={checkout.python}").returncode == 0
    assert checkout.recorded()[-2] == "-I -m venv --clear .venv"


def test_unfit_python_is_refused_before_anything_is_made(checkout: Checkout, tmp_path: Path) -> None:
    old = Checkout.program(tmp_path / "old", FAKE_PYTHON.replace("[3, 11]", "[3, 9]"))
    answer = checkout.make("eval", f"PYTHON={old}")
    assert answer.returncode == 2
    error, of_make = answer.stderr.splitlines()
    assert error.startswith("error: found Python 3.9, expected 3.11 or 3.12")
    assert of_make.startswith("make: ***")
    assert not (checkout.folder / ".venv").exists()


def fill_outputs(checkout: Checkout, outputs: Path) -> Path:
    """Put a result and a link to a file elsewhere into outputs; return that file."""
    precious = checkout.folder / "precious/kept.txt"
    precious.parent.mkdir()
    precious.write_text("keep")
    (outputs / "evaluation/expert").mkdir(parents=True)
    (outputs / "evaluation/expert/result.json").write_text("{}")
    (outputs / "evaluation/latest").symlink_to(precious.parent)
    return precious


@pytest.mark.parametrize(
    ("words", "typed", "code", "removed"),
    [
        (["CONFIRM=1"], "", 0, True),
        ([], "y\n", 0, True),
        ([], "n\n", 0, False),
        ([], "\n", 0, False),
        ([], "", 2, False),
        (["CONFIRM=0"], "", 2, False),
        (["CONFIRM=1", "PRINT_ONLY=1"], "", 0, False),
    ],
)
def test_clean_removes_results_only_after_a_yes(
    checkout: Checkout, words: list[str], typed: str, code: int, removed: bool
) -> None:
    precious = fill_outputs(checkout, checkout.folder / "outputs")
    answer = checkout.make("clean", *words, typed=typed)
    assert answer.returncode == code, answer.stderr
    assert (checkout.folder / "outputs/evaluation/expert/result.json").exists() is not removed
    assert precious.read_text() == "keep"


def test_clean_empties_the_folder_that_outputs_links_to(checkout: Checkout, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    precious = fill_outputs(checkout, scratch)
    (checkout.folder / "outputs").symlink_to(scratch)
    assert checkout.make("clean", "CONFIRM=1").returncode == 0
    assert scratch.is_dir()
    assert not list(scratch.iterdir())
    assert precious.read_text() == "keep"


def test_clean_without_results_says_so(checkout: Checkout) -> None:
    answer = checkout.make("clean")
    assert (answer.returncode, answer.stdout) == (0, "there is no outputs/ to clean\n")
