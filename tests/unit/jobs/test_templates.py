"""Batch scripts from templates: every value means in bash what it meant before, or it is refused."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import ConfigError
from harness.jobs.templates import read_template, render

HEAD = "#!/usr/bin/env bash\n"
HOSTILE = [
    "", " ", "two words", "it's", 'say "hi"', "$HOME", "${HOME}", "$(touch /tmp/never)", "`touch /tmp/never`", "a\nb",
    "\\", "\\\\", "back\\slash", "tail\\", "*", "~", "#no comment", "-n", "!", "a;b", "a&&b", "$$", "$CMD", "$FILENAME",
    "${GPU}", "$$CMD", "é\u2028", "'\\''", "%s", "\t", "EOF", "x)", "(x",
]  # fmt: skip
TEXT = st.one_of(
    st.sampled_from(HOSTILE), st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=20)
)
LINE = TEXT.filter(lambda text: "\n" not in text)
# Prints its arguments between NUL bytes.
ARGUMENTS = [
    sys.executable,
    "-I",
    "-S",
    "-c",
    r"import sys; sys.stdout.buffer.write(b''.join(w.encode() + b'\0' for w in sys.argv[1:]))",
]


def rendered(
    template: str,
    cmd: list[str] | None = None,
    *,
    filename: str = "/runs/one/x.sbatch",
    partition: str = "gpu-2080ti",
    timeout: str = "3600",
    prologue: tuple[str, ...] = (),
) -> str:
    return render(
        template,
        name="my.sbatch",
        cmd=cmd or ["true"],
        filename=Path(filename),
        partition=partition,
        gpu=2,
        cpu=8,
        timeout=timeout,
        prologue=prologue,
    )


def run(script: str, **environment: str) -> str:
    """Return what bash prints, errors included."""
    answer = subprocess.run(
        ["bash"],
        input=script.encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **environment},
        check=False,
        timeout=60.0,
    )
    return answer.stdout.decode()


def words(script: str) -> list[str]:
    """Return the words that a command of ARGUMENTS got."""
    *printed, rest = run(script).split("\0")
    assert rest == ""
    return printed


# Variables


def test_six_variables_are_replaced_with_and_without_braces() -> None:
    template = HEAD + "$CMD\n${CMD}\n$FILENAME ${FILENAME}.log\nsbatch $PARTITION--gres=gpu:$GPU -c ${CPU} $TIMEOUT\n"
    assert rendered(template, ["python", "a b"], timeout="1-0") == (
        HEAD + "python 'a b'\npython 'a b'\n/runs/one/x.sbatch /runs/one/x.sbatch.log\n"
        "sbatch -p gpu-2080ti --gres=gpu:2 -c 8 1-0\n"
    )


def test_without_a_partition_there_is_no_flag() -> None:
    assert rendered(HEAD + "$CMD; sbatch $PARTITION--parsable\n", partition="").endswith("true; sbatch --parsable\n")


@pytest.mark.parametrize(
    "text",
    ["$HOME", "${HOME}", "${x:-$HOME}", "$(date)", "$1", "$?", "$@", "$*", "$#", "$!", "$-", "$0", "$_", "${#a[@]}",
     "`date`", "$((1 + 2))", "$CMDS", "$GPUS", "$CPU_COUNT", "$cmd",
     "$SLURM_JOB_ID", "${CMD:-x}", r"\$CMD", "100$", "$ x", "$'a'", '$"a"'],
)  # fmt: skip
def test_everything_else_is_left_to_the_shell(text: str) -> None:
    assert rendered(HEAD + f"$CMD\necho {text} end\n") == HEAD + f"true\necho {text} end\n"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("$$?", "$?"),
        ("$$HOME", "$HOME"),
        ("$${HOME}", "${HOME}"),
        ("$$(date)", "$(date)"),
        ("$$CMD", "$CMD"),
        ("$$$$", "$$"),
    ],
)
def test_two_dollars_are_one(written: str, meant: str) -> None:
    assert rendered(HEAD + f"$CMD\necho {written}\n") == HEAD + f"true\necho {meant}\n"


def test_doubled_dollars_open_a_substitution_like_single_ones() -> None:
    # What stands in $(...) inside double quotes is not itself inside double quotes.
    script = rendered(HEAD + '$CMD\nprintf %s "$$(printf %s $FILENAME)"\n', filename="/a 'b\"")
    assert run(script) == "/a 'b\""


def test_comments_are_left_alone_and_directives_are_not() -> None:
    text = "#SBATCH --cpus-per-task=$CPU --gres=gpu:$GPU\n# run ${CMD} on $GPU\n"
    expected = "#SBATCH --cpus-per-task=8 --gres=gpu:2\n# run ${CMD} on $GPU\n"
    assert rendered(HEAD + text + "$CMD # $CMD\n", ["a", "b\nc"]) == HEAD + expected + "a 'b\nc' # $CMD\n"


# Values survive


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(TEXT, max_size=4))
def test_any_words_arrive_between_words(given_words: list[str]) -> None:
    assert words(rendered(HEAD + "$CMD\n", [*ARGUMENTS, *given_words])) == given_words


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(TEXT, max_size=3),
    st.sampled_from(
        [
            'bash -c "$CMD"', "bash -c '$CMD'", "exec $CMD", "( $CMD )", "true && $CMD", 'x="$CMD"; eval "$x"',
            "eval '$CMD'", 'bash <<< "$CMD"', 'printf %s "$(bash -c "$CMD" | base64 -w0)" | base64 -d', 'cat < <($CMD)',
            "env A=1 $CMD", 'trap "$CMD" EXIT', "if true; then $CMD; fi", "f() { $CMD; }; f",
            'cat <<< "$($CMD | base64)" | base64 -d', "for i in 1; do # don't stop\n$CMD\ndone",
            "x=$(( (1 << 2) ))\n$CMD",
        ]
    ),
)  # fmt: skip
def test_any_words_arrive_inside_quotes_and_substitutions(given_words: list[str], line: str) -> None:
    assert words(rendered(HEAD + line + "\n", [*ARGUMENTS, *given_words])) == given_words


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(LINE, max_size=3), st.sampled_from(["<<EOF", "<<'EOF'", "<<-EOF", '<< "EOF"', "<<\\EOF"]))
def test_any_words_arrive_in_a_here_document(given_words: list[str], begin: str) -> None:
    script = rendered(HEAD + f"bash {begin}\n$CMD\nEOF\n:\n", [*ARGUMENTS, *given_words])
    assert words(script) == given_words


# How a path is written, and what is printed behind it so that no line break at its end is lost.
PATH_PLACES = [
    ("$FILENAME", ""),
    ('"$FILENAME"', ""),
    ('"${FILENAME}"', ""),
    ('"$(printf %s $FILENAME; printf .)"', "."),
    ('"$(printf %s "$FILENAME"; printf .)"', "."),
    ('"$(printf %s "$(printf %s "${FILENAME}"; printf .)"; printf .)"', ".."),
]


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(TEXT, st.sampled_from(PATH_PLACES))
def test_any_path_is_one_word_with_and_without_quotes(name: str, place: tuple[str, str]) -> None:
    path = Path(f"/runs/{name}")
    template = HEAD + f"$CMD {place[0]}\n"
    assert words(rendered(template, ARGUMENTS, filename=str(path))) == [f"{path}{place[1]}"]


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(TEXT.filter(bool), st.booleans())
def test_any_partition_is_the_value_of_one_flag(partition: str, is_glued: bool) -> None:
    script = rendered(
        HEAD + ("$CMD $PARTITION--next\n" if is_glued else "$CMD $PARTITION --next\n"), ARGUMENTS, partition=partition
    )
    assert words(script) == ["-p", partition, "--next"]


@given(st.text("ab$\"'`\\\n #(){}<EOF-CMD", max_size=30), st.text("$`'\"\\ab ", max_size=6))
def test_no_template_makes_the_program_fail(text: str, value: str) -> None:
    try:
        assert rendered(HEAD + text + "\n", ["true", value]).startswith(HEAD)
    except ConfigError as error:
        assert "my.sbatch" in error.message


PIECES = [
    '"', "'", "`", "$(", "$((", "(", ")", "${x:-", "}", "\n", " ", "a", "b", "#", "\\", "<<EOF\n", "<<-'EOF'\n",
    "\nEOF\n", ";", "\ncase a in a)", ";;esac", "$$", "$'", '$"', "<<<", "[[", "]]", "$FILENAME", "$FILENAME",
    "${FILENAME}",
]  # fmt: skip
# Each leaves a file behind if any part of it is ever executed.
TRAPS = [
    "/$(>trap)", "/`>trap`", "/';>trap;'", '/";>trap;"', "/ ;>trap;", "/\n>trap\n",
    "/)>trap;(", "/}>trap;{",
    "/\\';>trap;'", "/x\nEOF\n>trap\n", "/'\"$(>trap)\"'", "/\\`>trap\\`", "/'\\'';>trap;'",
]  # fmt: skip


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(PIECES), max_size=14), st.sampled_from(TRAPS))
def test_nothing_in_a_value_is_ever_executed(tmp_path: Path, pieces: list[str], value: str) -> None:
    try:
        script = rendered(HEAD + "".join(pieces) + "\ntrue || $CMD\n", filename=value)
    except ConfigError:
        return
    command = [shutil.which("bash") or "bash", "-c", script]
    environment = {"PATH": str(tmp_path)}
    subprocess.run(command, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=20.0)
    assert not list(tmp_path.iterdir())


# Refusals


@pytest.mark.parametrize(
    "text",
    ["", "true\n", "# $CMD\n", "true # $CMD\n", "#SBATCH --comment=$CMD\n", "echo $$CMD\n", r"echo \$CMD", "$CMDS"],
)
def test_template_that_does_not_do_the_work_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"template my\.sbatch has no \$CMD"):
        rendered(HEAD + text)


@pytest.mark.parametrize(
    "line",
    [
        '"$CMD"',
        "'$CMD'",
        'exec "${CMD}"',
        'timeout -k 5 $TIMEOUT "$CMD"',
        'true && "$CMD"',
        'if x; then "$CMD"',
        'srun "$CMD"',
    ],
)
def test_command_in_one_word_is_refused(line: str) -> None:
    with pytest.raises(ConfigError, match=r"template my\.sbatch line 3 has .*one long word.* without quotes"):
        rendered(HEAD + f"$CMD\n{line}\n")


@pytest.mark.parametrize(
    "line",
    [
        'bash -lc "$CMD"',
        'echo "$CMD"',
        'echo "now: $CMD"',
        'srun bash -c "$CMD"',
        'sbatch --wrap="$CMD"',
        'sbatch --wrap "$CMD"',
        'all="$CMD"',
    ],
)
def test_command_as_text_is_not(line: str) -> None:
    assert rendered(HEAD + line, ["a", "$b"]) == HEAD + line.replace("$CMD", "a '\\$b'")


def test_quoted_partition_is_refused() -> None:
    with pytest.raises(ConfigError, match="one long word"):
        rendered(HEAD + '$CMD; sbatch "$PARTITION" x')


@pytest.mark.parametrize(
    "line",
    [
        "`$CMD`",
        '"`$CMD`"',
        "x=${y:-$CMD}",
        '"${y:-"$CMD"}"',
        "$'$CMD'",
        "$$$CMD",
        "$(case x in x) $CMD;; esac)",
        "echo $(( $CMD ))",
    ],
)
def test_odd_values_where_quotes_nest_too_deeply_are_refused(line: str) -> None:
    assert rendered(HEAD + line, ["a", "b-c"]) == HEAD + line.replace("$CMD", "a b-c").replace("$$", "$")
    with pytest.raises(ConfigError, match=r"line 2 has \$CMD inside a nested substitution"):
        rendered(HEAD + line, ["a", "it's"])


def test_line_breaks_cannot_end_a_here_document_or_directive() -> None:
    for text in ("cat <<EOF\n$FILENAME\nEOF\n", "#SBATCH --comment=$FILENAME\n"):
        with pytest.raises(ConfigError, match="line break"):
            rendered(HEAD + text + "$CMD\n", filename="/a\nEOF\ntouch x")


@pytest.mark.parametrize("value", ["a\0b", "\udcff"])
def test_value_that_no_file_can_hold_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match=r"\$CMD would be"):
        rendered(HEAD + "$CMD", [value])


@pytest.mark.parametrize(
    "line",
    ["timeout $TIMEOUT $CMD", "timeout ${TIMEOUT} $CMD", 'timeout "$TIMEOUT" $CMD', "timeout -k 30 $TIMEOUT $CMD",
     "/usr/bin/timeout --signal=TERM $TIMEOUT $CMD", "timeout --foreground -s USR1 -k 5s $TIMEOUT $CMD",
     "timeout \\\n  $TIMEOUT \\\n  $CMD", "srun timeout $TIMEOUT $CMD"],
)  # fmt: skip
def test_limit_that_gnu_timeout_does_not_read_is_refused_with_the_seconds(line: str) -> None:
    for timeout in ("86400", "24h", "1.5d", "0"):
        assert timeout in rendered(HEAD + line, timeout=timeout)
    with pytest.raises(ConfigError, match=r"hands \$TIMEOUT to timeout, found '1-00:00:00'") as error:
        rendered(HEAD + line, timeout="1-00:00:00")
    assert error.value.hint == "TIMEOUT=86400"


@pytest.mark.parametrize(
    "line",
    [
        "sbatch --time=$TIMEOUT x",
        "# timeout $TIMEOUT",
        "my-timeout $TIMEOUT",
        "timeout 5 sbatch --time $TIMEOUT x",
        "echo $TIMEOUT timeout",
    ],
)
def test_limit_that_slurm_reads_stays_as_it_is(line: str) -> None:
    assert "$CMD" not in rendered(HEAD + f"$CMD\n{line}\n", timeout="1-00:00:00")


# Files


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"#!/bin/sh\n\0$CMD", "NUL byte at offset 10"), (b"#!/bin/sh\n\xff", "not UTF-8 at offset 10"),
     (b"#!/bin/sh\nx\r\n", r"carriage returns \(line 2\)"), (b"echo\n", "begins with 'echo"), (b"", "begins with ''"),
     (b"\xef\xbb\xbf#!/bin/sh\n", "begins with"), (b"#" * 2_000_000, "2000000 bytes")],
)  # fmt: skip
def test_file_that_is_no_batch_script_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "my.sbatch").write_bytes(data)
    with pytest.raises(ConfigError, match=message) as error:
        read_template(tmp_path / "my.sbatch")
    assert str(tmp_path / "my.sbatch") in error.value.message
    assert error.value.hint


@pytest.mark.parametrize("name", ["missing", ".", "a/b"])
def test_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot read template"):
        read_template(tmp_path / name)


def test_prologue_stands_behind_the_directives() -> None:
    template = HEAD + "# about\n#SBATCH --nice\nset -u\n$CMD\n"
    assert rendered(template, prologue=("module load x", "y")) == (
        HEAD + "# about\n#SBATCH --nice\n\nmodule load x\ny\nset -u\ntrue\n"
    )
    assert rendered(template).startswith(HEAD + "# about\n#SBATCH --nice\nset -u\n")
