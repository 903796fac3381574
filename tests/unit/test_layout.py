"""What must hold for the repository as a whole: light start-up, working links, pins, no trace of one machine."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Written in two parts so that this file does not find itself.
REGISTRIES = [
    "pypi" + ".org",
    "python" + "hosted",
    "download." + "pytorch",
    "deb." + "debian",
    "npm" + "js.",
    "conda" + ".anaconda",
]
INDEX_OPTION = "index" + "-url"
MACHINE_PATH = r"(?<![\w.~*])/(?:" + "|".join(["wo" + "rk", "ro" + "ot", "ho" + "me"]) + r")/\w"


def tracked_files() -> list[Path]:
    """Return every file of the repository that git tracks or would track."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-co", "--exclude-standard", "-z"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if answer.returncode:
        pytest.skip(f"not a git checkout: {answer.stderr.strip()}")
    return [path for name in answer.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def modules_loaded_by(*arguments: str) -> set[str]:
    """Run the command line in a fresh interpreter and return the top-level packages that it imported."""
    program = (
        "import sys\n"
        "from harness.cli import main\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as error:\n"
        "    print('exit', error.code or 0)\n"
        "print('modules', *{name.partition('.')[0] for name in sys.modules})\n"
    )
    command = [sys.executable, "-c", program, *arguments]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    *_, end, modules = answer.stdout.splitlines()
    assert end == "exit 0", answer.stdout + answer.stderr
    return set(modules.split()[1:])


@pytest.mark.parametrize("arguments", [["--help"], ["eval", "--help"], ["eval", "--print-only"]])
def test_command_line_starts_without_heavy_packages(arguments: list[str]) -> None:
    loaded = modules_loaded_by(*arguments)
    assert "click" in loaded
    assert not loaded & {"carla", "numba", "torch"}


def test_help_needs_no_arrays_or_geometry() -> None:
    heavy = {"msgpack", "networkx", "numpy", "scenariogeneration", "scipy", "shapely"}
    assert not modules_loaded_by("--help") & heavy


def test_relative_links_in_markdown_resolve() -> None:
    broken = [
        f"{path.relative_to(ROOT)}: {target}"
        for path in tracked_files()
        if path.suffix == ".md"
        for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8"))
        if not re.match(r"[a-z]+:|#", target) and not (path.parent / target.partition("#")[0]).exists()
    ]
    assert not broken


def test_no_file_names_a_registry_or_a_path_of_one_machine() -> None:
    pattern = re.compile("|".join([*map(re.escape, REGISTRIES), INDEX_OPTION, MACHINE_PATH]))
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for path in tracked_files()
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="ignore").splitlines(), start=1)
        if pattern.search(line)
    ]
    assert not found


def test_every_dependency_has_a_tested_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    needed = [*project["dependencies"], *extras["sim"], *extras["dev"]]
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert not [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+", line)]
    pinned = {normalised(line.partition("==")[0]) for line in lines}
    assert not {normalised(re.split(r"[<>=]", requirement)[0]) for requirement in needed} - pinned


def normalised(name: str) -> str:
    return name.lower().replace("_", "-")


def test_modules_are_named_after_what_they_hold() -> None:
    vague = {"utils", "util", "manager", "common", "helpers", "misc"}
    assert not [path for path in (ROOT / "harness").rglob("*.py") if path.stem in vague]


def test_programs_can_be_executed() -> None:
    not_executable = [
        path for path in tracked_files() if path.read_bytes()[:2] == b"#!" and not path.stat().st_mode & 0o111
    ]
    assert not not_executable
