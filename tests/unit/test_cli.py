"""The command line as a user meets it: exit codes, one line per error, one JSON document with --output json."""

from __future__ import annotations

import json
import os
import pwd
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.jobs.ports import take_port_block

PILOT = """
class Pilot:
    def setup(self, config): pass
    def sensors(self): return []
    def run_step(self, input_data, timestamp): pass
"""


class CommandLine:
    """Runs `python -m harness` in an empty folder, without HARNESS_DATA unless it is given."""

    def __init__(self, folder: Path, repository: Path) -> None:
        self.folder, self._repository = folder, repository

    def __call__(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {key: value for key, value in os.environ.items() if key != "HARNESS_DATA"}
        environment |= {"PYTHONPATH": str(self._repository), **variables}
        return subprocess.run(
            [sys.executable, "-m", "harness", *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def refused(self, *arguments: str, code: int, **variables: str) -> str:
        """Run a command that must fail with one line; return it without `error: `."""
        answer = self(*arguments, **variables)
        assert answer.returncode == code, answer.stderr
        assert answer.stdout == ""
        assert re.fullmatch(r"error: [^\n]+ \(try: [^\n]+\)\n", answer.stderr), answer.stderr
        assert not (self.folder / "outputs").exists()
        return answer.stderr.removeprefix("error: ").rstrip("\n")


@pytest.fixture
def harness(tmp_path: Path, repository: Path) -> CommandLine:
    folder = tmp_path / "work"
    folder.mkdir()
    return CommandLine(folder, repository)


@pytest.fixture
def busy_port() -> Iterator[int]:
    # From a block of ours: around an ephemeral port other programs come and go.
    block = take_port_block()
    with socket.create_server(("127.0.0.1", block.rpc + 2)) as listener:
        yield listener.getsockname()[1]
    block.release()


# --- usage: exit 2 ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["eval", "--bench", "maxi"], "suite 'maxi' not in .*has bench2drive, .*mini.*make list shows every suite"),
        (["eval", "--only", "05,99"], "route '99' not in suite 'mini' .has 01, 02, .*16"),
        (["eval", "--seeds", "1,1"], "seeds 1, 1 name one twice"),
        (["eval", "--seeds", "1,one"], "invalid value for '--seeds': found '1,one', expected numbers"),
        (["eval", "--seeds", "-1"], "invalid value for '--seeds': found '-1', expected numbers"),
        (["eval", "--jobs", "0"], "invalid value for '--jobs': 0 is not in the range x>=1"),
        (["eval", "--sim", "localhost"], "SIM is 'localhost', expected embedded or host:port"),
        (["eval", "--backend", "lsf"], "invalid value for '--backend': 'lsf' is not one of 'local', 'slurm'"),
        (["eval", "--gpu", "-1"], "invalid value for '--gpu': -1 is not in the range"),
        (["eval", "--partition", ","], "invalid value for '--partition': found ',', expected one at least"),
        (["eval", "--partition", "gpu", "--backend", "local"], "PARTITION=gpu means nothing to BACKEND=local"),
        (["eval", "--detach"], "DETACH needs Slurm, found BACKEND=local"),
        (["eval", "--template", "own.sbatch"], "TEMPLATE needs Slurm, found BACKEND=local"),
        (["eval", "--timeout", "soon"], "time limit is 'soon', expected"),
        (["eval", "--partition", "gpu", "--sim", "carla:2000"], "SIM=carla:2000 cannot be combined with PARTITION"),
        (["eval", "--run", "nowhere"], "no run in nowhere, expected a folder with run.toml"),
        (["eval", "--run", ".", "--new"], "--run cannot be combined with --new"),
        (["eval", "--bench", "longest6"], "none of the 36 routes of suite 'longest6' can be driven: 00: HARNESS_DATA"),
        (["routes", "fetch", "--bench", "mini"], "suite 'mini' is not published anywhere"),
        (["routes", "fetch", "--bench", "none"], "suite 'none' not in .*has bench2drive"),
        (["towns", "fetch", "--from", "nowhere"], "invalid value for '--from': Path 'nowhere' does not exist"),
        (["eval", "--maps", "nowhere"], "invalid value for '--maps': Directory 'nowhere' does not exist"),
        (["eval", "--nonsense"], "no such option '--nonsense'"),
        (["evaluate"], "no such command 'evaluate'"),
        (["simulator", "--town", "Atlantis"], "town 'Atlantis' not found .has Borough01.*--maps DIR"),
        (["eval", "--seeds", "7" * 5000], "invalid value for '--seeds': found '7{60}...', expected numbers"),
        (["eval", "--seeds", "٣"], "invalid value for '--seeds': found '٣', expected numbers"),
        (["eval", "--seeds", ","], "invalid value for '--seeds': found ',', expected one at least"),
        (["eval", "--only", ","], "invalid value for '--only': found ',', expected one at least"),
        (["eval", "--only", " "], "invalid value for '--only': found ' ', expected one at least"),
        (["eval", "--only", ""], "invalid value for '--only': found '', expected one at least"),
        (["simulator", "--host", ""], "invalid value for '--host': found '', expected an address"),
        (["routes", "sample", "--min-length", "nan"], "invalid value for '--min-length': found nan, expected a finite"),
        (["routes", "sample", "--max-length", "inf"], "invalid value for '--max-length': found inf, expected a finite"),
        (["routes", "sample", "--count", "10001"], "invalid value for '--count': 10001 is not in the range"),
        (["simulator", "--port", "80"], "invalid value for '--port': 80 is not in the range"),
        (["routes", "sample", "--town", "Atlantis"], "town 'Atlantis' not found .has Borough01"),
        (
            ["routes", "sample", "--min-length", "300", "--max-length", "200"],
            "--min-length 300 exceeds --max-length 200",
        ),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)
def test_usage_error_is_one_line(harness: CommandLine, arguments: list[str], expected: str) -> None:
    assert re.match(expected, harness.refused(*arguments, code=2))


def test_data_folder_that_is_none(harness: CommandLine) -> None:
    for arguments in (["eval"], ["list"], ["simulator"]):
        text = harness.refused(*arguments, code=2, HARNESS_DATA="/does/not/exist")
        assert text.startswith(
            "HARNESS_DATA is '/does/not/exist', which is no folder; expected the folder with routes/"
        )


def test_data_folder_below_the_home_of_nobody(harness: CommandLine) -> None:
    text = harness.refused("list", code=2, HARNESS_DATA="~no_such_user/x")
    assert text.startswith("HARNESS_DATA is '~no_such_user/x': ")
    assert "expected the folder with routes/ and maps/ (try: make eval HARNESS_DATA=" in text


def test_empty_data_variable_counts_as_unset(harness: CommandLine) -> None:
    assert harness("eval", "--only", "05", "--print-only", HARNESS_DATA="").returncode == 0


def test_data_folder_without_the_town(harness: CommandLine, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "routes" / "longest6"
    folder.mkdir(parents=True)
    route = (
        '<route id="0" town="Town01"><waypoints><position x="0" y="0" z="0"/><position x="9" y="0" z="0"/></waypoints>'
    )
    (folder / "00.xml").write_text(f"<routes>{route}</route></routes>")
    text = harness.refused("eval", "--bench", "longest6", "--only", "00", code=2, HARNESS_DATA=str(tmp_path / "data"))
    assert text.startswith(
        "none of the 1 routes of suite 'longest6' can be driven: "
        "00: town Town01 not found, expected Town01.xodr or .xodr.gz in "
    )
    assert f"{tmp_path}/data/maps" in text


def test_malformed_route_of_a_suite(harness: CommandLine, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "routes" / "longest6"
    folder.mkdir(parents=True)
    (folder / "00.xml").write_text("<routes>\n<route id='0'</routes>")
    text = harness.refused("eval", "--bench", "longest6", "--only", "0", code=2, HARNESS_DATA=str(tmp_path / "data"))
    assert (
        f"00: route file {folder}/00.xml line 2: found 'not well-formed (invalid token)', expected well-formed" in text
    )


@pytest.mark.parametrize("words", [[], ["routes"], ["towns"]])
def test_no_command_shows_the_help_and_is_a_usage_error(harness: CommandLine, words: list[str]) -> None:
    answer = harness(*words)
    assert answer.returncode == 2
    assert answer.stdout == ""
    assert answer.stderr.startswith("Usage: ")
    assert "Commands:\n" in answer.stderr


# --- errors: exit 1 --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [0, 1], ids=["calls", "streams"])
def test_port_in_use(harness: CommandLine, busy_port: int, offset: int) -> None:
    port = busy_port - offset
    text = harness.refused("simulator", "--port", str(port), code=1)
    assert text.startswith(f"port {busy_port} on 127.0.0.1 cannot be used: ")
    assert f"expected a free port (try: another one such as {busy_port + 10}, or end the program" in text


def test_town_file_that_is_none(harness: CommandLine) -> None:
    maps = harness.folder / "maps"
    maps.mkdir()
    (maps / "Atlantis.xodr").write_text("this is no OpenDRIVE")
    answer = harness("simulator", "--town", "Atlantis", "--maps", "maps")
    assert answer.returncode == 1
    assert answer.stderr.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in answer.stderr


def test_nobody_at_the_address(harness: CommandLine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    text = harness.refused("eval", "--sim", f"127.0.0.1:{port}", code=1)
    assert text.startswith(f"no CARLA server answers at 127.0.0.1:{port} within 5 s, expected one that is running")


@pytest.mark.parametrize(
    ("text", "spec", "expected"),
    [
        (None, "nowhere.py:Pilot", "agent 'nowhere.py:Pilot': no such file, expected expert, constant or path"),
        (None, "experte", "agent 'experte': neither a built-in agent nor a .py file, expected expert, constant"),
        (
            "import not_there",
            "pilot.py:Pilot",
            "agent file .*/pilot.py does not import: ModuleNotFoundError: No module",
        ),
        ("def (:", "pilot.py:Pilot", "agent file .*/pilot.py does not import: SyntaxError: "),
        ("import sys; sys.exit()", "pilot.py:Pilot", "agent file .*/pilot.py does not import: SystemExit: "),
        (
            "import os; os.abort()",
            "pilot.py:Pilot",
            "agent pilot.py:Pilot ended the process that loaded it with SIGABRT",
        ),
        ("raise ValueError('two\\nlines')", "pilot.py:Pilot", "agent file .*: ValueError: two lines"),
        (PILOT, "pilot.py:Other", r"agent class 'Other' not in .*/pilot.py \(has Pilot\)"),
        (PILOT, "pilot.py", r".*/pilot.py has no get_entry_point\(\), expected one or a class name"),
        (
            PILOT.replace("run_step", "step"),
            "pilot.py:Pilot",
            "agent Pilot in .* has no run_step; expected the Leaderb",
        ),
        (PILOT + "    def __init__(self): 1 / 0", "pilot.py:Pilot", "agent Pilot in .* cannot be made: ZeroDivisionEr"),
    ],
)
def test_agent_that_cannot_be_loaded(harness: CommandLine, text: str | None, spec: str, expected: str) -> None:
    if text is not None:
        (harness.folder / "pilot.py").write_text(text)
    line = harness.refused("eval", "--only", "05", "--agent", spec, code=1)
    assert re.match(expected, line)
    assert line.count("(try: ") == 1


def test_outputs_that_cannot_be_written(harness: CommandLine) -> None:
    (harness.folder / "outputs").write_text("a file")
    answer = harness("eval", "--only", "05")
    assert answer.returncode == 1
    assert answer.stderr.count("\n") == 1
    assert answer.stderr.startswith("error: cannot use outputs/evaluation/expert/mini_seed1")
    assert "Not a directory (try: " in answer.stderr


def test_disk_that_is_full(harness: CommandLine) -> None:
    command = [sys.executable, "-m", "harness", "list"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with Path("/dev/full").open("w") as full:
        answer = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, env=environment, cwd=harness.folder
        )
    assert answer.returncode == 1
    assert answer.stderr == "error: cannot write: No space left on device (try: df -h .)\n"


class Broken:
    """Runs `main` in this process with a command that raises."""

    def __init__(self, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]) -> None:
        self._patch, self._capture = patch, capture

    def __call__(self, error: BaseException, *options: str) -> tuple[int, str]:
        from harness import cli
        from harness.stages import catalogue

        def fail(outputs: Path) -> None:
            raise error

        self._patch.setattr(catalogue, "catalogue", fail)
        self._patch.setattr(sys, "argv", ["harness", "list", *options])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        assert isinstance(caught.value.code, int)
        return caught.value.code, self._capture.readouterr().err


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Broken:
    monkeypatch.delenv("HARNESS_VERBOSE", raising=False)
    return Broken(monkeypatch, capsys)


def test_defect_of_our_own_is_one_line_with_a_traceback_on_demand(
    broken: Broken, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = (
        "error: unexpected ValueError: two lines"
        " (try: the same command with HARNESS_VERBOSE=1 or --verbose, and report it)\n"
    )
    assert broken(ValueError("two\nlines")) == (1, line)
    monkeypatch.setenv("HARNESS_VERBOSE", "1")
    code, text = broken(ValueError("two\nlines"))
    assert code == 1
    assert text.startswith("Traceback ")
    assert text.endswith(line)


def test_interruption_is_one_line(broken: Broken) -> None:
    assert broken(KeyboardInterrupt()) == (1, "error: interrupted\n")


def test_refusal_of_the_system_names_what_is_known(broken: Broken) -> None:
    code, text = broken(OSError(28, "No space left on device", "outputs/run.toml"))
    assert (code, text.partition(" (try")[0]) == (1, "error: cannot use outputs/run.toml: No space left on device")
    code, text = broken(OSError(24, "Too many open files"))
    assert (code, text.partition(" (try")[0]) == (1, "error: the system refused a call: Too many open files")


@pytest.mark.parametrize("is_known", [True, False])
def test_carla_can_be_imported_without_a_home(repository: Path, is_known: bool) -> None:
    # Without HOME the import of carla alone ends with a segmentation fault.
    forget = "pwd.getpwuid = lambda number: {}[number]"
    program = (
        f"import os, pwd, sys\n{'' if is_known else forget}\n"
        "from harness.cli import main\n"
        "sys.argv = ['harness', '--version']\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "import carla\n"
        "print(os.environ['HOME'])"
    )
    environment = {key: value for key, value in os.environ.items() if key != "HOME"}
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=repository, env=environment, capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr
    home = pwd.getpwuid(os.getuid()).pw_dir if is_known else tempfile.gettempdir()
    assert answer.stdout.splitlines()[-1] == home


# --- JSON ------------------------------------------------------------------------------------------------------------


def document(answer: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Return the one document on stdout, which agrees with the exit code."""
    found: dict[str, Any] = json.loads(answer.stdout)
    assert list(found) == ["version", "command", "status", "exit_code", "data", "errors"]
    assert found["version"] == 1
    assert found["exit_code"] == answer.returncode
    assert found["status"] == {0: "success", 1: "error", 2: "error", 3: "partial"}[answer.returncode]
    return found


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["eval", "--bench", "maxi"], 2),
        (["eval", "--nonsense"], 2),
        (["eval", "--agent", "nowhere.py"], 1),
        (["eval", "--sim", "127.0.0.1:1"], 1),
        (["eval", "--maps", "nowhere"], 2),
    ],
)
@pytest.mark.parametrize("words", [["--output", "json"], ["--output=json"]])
def test_failure_is_one_document_too(harness: CommandLine, arguments: list[str], code: int, words: list[str]) -> None:
    answer = harness(*arguments, *words)
    assert answer.returncode == code
    found = document(answer)
    assert (found["command"], found["data"]) == ("eval", None)
    (error,) = found["errors"]
    assert answer.stderr.startswith(f"error: {error} (try: ")


def test_the_word_json_elsewhere_asks_for_no_document(harness: CommandLine) -> None:
    assert harness("eval", "--bench", "maxi", "--config", "json").stdout == ""


def test_list_as_document_and_as_text(harness: CommandLine) -> None:
    data = document(harness("list", "--output", "json"))["data"]
    assert [suite["name"] for suite in data["suites"]] == [
        "bench2drive",
        "bench2drive_0.0.4",
        "bench2drive_dev10",
        "fail2drive",
        "longest6",
        "mini",
        "town13",
    ]
    (mini,) = (suite for suite in data["suites"] if suite["name"] == "mini")
    assert mini["routes"] == mini["found"] == 16
    assert (data["towns"], data["runs"]) == (["Borough01", "Grid01", "Highland01"], [])
    text = harness("list").stdout
    assert "Borough01" in text
    assert "none yet; make eval makes one" in text
    slashes = [line.index(" / ") for line in text.splitlines()[1:8]]
    assert len(set(slashes)) == 1, text


def test_the_tables_of_routes_are_written_from_the_command_line(harness: CommandLine, repository: Path) -> None:
    answer = harness("routes", "tabulate", "--bench", "mini", "--into", "tables")
    assert answer.stdout == "tables/mini.csv (16 routes)\n"
    committed = repository / "routes" / "suites" / "mini.csv"
    assert (harness.folder / "tables" / "mini.csv").read_bytes() == committed.read_bytes()
    text = harness.refused("routes", "tabulate", "--bench", "bench2drive_dev10", "--into", "tables", code=2)
    assert text.startswith(
        "10 of 10 routes of bench2drive_dev10 are not there to tabulate: 2091: HARNESS_DATA is not set"
    )
    assert [file.name for file in (harness.folder / "tables").iterdir()] == ["mini.csv"]


def test_list_names_runs_that_cannot_be_read(harness: CommandLine) -> None:
    folder = harness.folder / "outputs" / "evaluation" / "expert" / "mini_seed1" / "2026-01-02_03-04-05"
    folder.mkdir(parents=True)
    (folder / "run.toml").write_text("[config]\nbench = 'mini'\n")
    (run,) = document(harness("list", "--output", "json"))["data"]["runs"]
    assert run["state"].startswith(
        "unreadable: cannot read outputs/evaluation/expert/mini_seed1/2026-01-02_03-04-05/un"
    )
    (folder / "units.jsonl").write_text("")
    (run,) = document(harness("list", "--output", "json"))["data"]["runs"]
    assert (run["bench"], run["agent"], run["state"]) == ("mini", None, "complete")
    (folder / "run.toml").write_text("[config]\nbench = 2026-01-02")
    assert "unreadable: Object of type date" in harness("list").stdout
    (folder / "units.jsonl").write_text('{"route": {}}')
    assert "unreadable: cannot read" in harness("list").stdout
    (folder / "run.toml").write_text("config = 3")
    assert "found no [config]" in harness("list").stdout


def test_preview_as_document_and_as_text(harness: CommandLine) -> None:
    found = document(harness("eval", "--only", "05,07", "--seeds", "1,2", "--print-only", "--output", "json"))
    data = found["data"]
    assert list(data) == ["run", "config", "units", "not_runnable", "submissions"]
    assert [(unit["seed"], unit["route"]) for unit in data["units"]] == [(1, "05"), (1, "07"), (2, "05"), (2, "07")]
    tasks = [task for submission in data["submissions"] for task in submission["tasks"]]
    assert sorted(unit for task in tasks for unit in task) == [0, 1, 2, 3]
    text = harness("eval", "--only", "05", "--print-only").stdout
    assert text.startswith("would start a new run: 1 drives\n")
    run = harness.folder / "outputs" / "evaluation" / "expert" / "mini_seed1"
    assert re.search(rf"^\S+ -P -m harness work --run {run}/\S+ --token \S+ ", text, re.MULTILINE)
    assert list(harness.folder.iterdir()) == []


# --- what must stay light --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["--help"], ["eval", "--help"], ["--version"], ["eval", "--print-only"]])
def test_nothing_heavy_is_imported(harness: CommandLine, arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit, sys\n"
        "heavy = ('carla', 'torch', 'numba', 'scipy', 'networkx', 'shapely')\n"
        "atexit.register(lambda: sys.stderr.write('heavy:' + ','.join(h for h in heavy if h in sys.modules)))\n"
    )
    answer = harness(*arguments, PYTHONPATH=os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])]))
    assert answer.returncode == 0
    assert answer.stderr == "heavy:"


def test_help_names_every_variable_of_make_eval(harness: CommandLine, repository: Path) -> None:
    text = harness("eval", "--help").stdout
    makefile = (repository / "Makefile").read_text()
    recipes = re.findall(r"^(?:eval: |LAUNCH := ).*?\n\n", makefile, re.MULTILINE | re.DOTALL)
    assert len(recipes) == 2
    options = {option for recipe in recipes for option in re.findall(r"--[a-z-]+", recipe)}
    assert len(options) >= 20
    assert options <= set(re.findall(r"--[a-z-]+", text))


def test_parsed_options_reach_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.cli import cli
    from harness.errors import HarnessError
    from harness.stages import evaluate
    from harness.stages.launch import LaunchOptions

    seen: list[Any] = []

    def remember(request: Any) -> None:
        seen.append(request)
        raise HarnessError("enough")

    monkeypatch.setattr(evaluate, "preview", remember)
    command = "eval --bench b --only x,,y --seeds 2,1 --agent a --config c --jobs 3 --run r --sim s:1 --print-only"
    launch = "--backend slurm --partition p,,q --gpu 1 --cpu 4 --timeout 2h --template t --account a --qos q --mem 1G"
    with pytest.raises(HarnessError, match="enough"):
        cli.main(f"{command} {launch} --constraint c --detach".split(), standalone_mode=False)
    with pytest.raises(HarnessError, match="enough"):
        cli.main(["eval", "--print-only"], standalone_mode=False)
    request, bare = seen
    assert bare == evaluate.EvaluateRequest()
    assert request == evaluate.EvaluateRequest(
        bench="b",
        only=("x", "y"),
        seeds=(2, 1),
        agent="a",
        agent_config="c",
        run=Path("r"),
        is_new=False,
        sim="s:1",
        options=LaunchOptions(
            backend="slurm",
            partitions=("p", "q"),
            jobs=3,
            gpu=1,
            cpu=4,
            timeout="2h",
            template=Path("t"),
            account="a",
            qos="q",
            mem="1G",
            constraint="c",
            is_detached=True,
        ),
    )
