"""What surrounds a variable in a bash script; whether that is right, bash itself says in test_templates.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.jobs.shell_places import Place, find_places

WORDS, DOUBLE, SINGLE, HERE, LITERAL = Place.WORDS, Place.DOUBLE, Place.SINGLE, Place.HERE, Place.LITERAL
COMMENT, DIRECTIVE, UNSURE = Place.COMMENT, Place.DIRECTIVE, Place.UNSURE
# Stands for a variable.
MARK = "@"


def places(script: str) -> list[Place]:
    positions = [index for index, letter in enumerate(script) if letter == MARK]
    found = find_places(script, positions)
    return [found[position] for position in positions]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("@ a @b c@", [WORDS, WORDS, WORDS]),
        ("'@' \"@\" @", [SINGLE, DOUBLE, WORDS]),
        (r"\' @ '\' @", [WORDS, WORDS]),
        (r'"\" @" @', [DOUBLE, WORDS]),
        ("\"'@'\" '\"@\"'", [DOUBLE, SINGLE]),
        ("# @\n@ # @", [COMMENT, WORDS, COMMENT]),
        ("a#@ $#@ ${#a}@ \\#@", [WORDS, WORDS, WORDS, WORDS]),
        ("x; # don't @\n@", [COMMENT, WORDS]),
        ("#SBATCH -c @\n #SBATCH @\n", [DIRECTIVE, COMMENT]),
        ('"$(@ "@" \'@\')@" @', [WORDS, DOUBLE, SINGLE, DOUBLE, WORDS]),
        ('"$(a "$(b @)" @)@"', [WORDS, WORDS, DOUBLE]),
        ("(a; @) @", [WORDS, WORDS]),
        ("<(@) >(@)", [WORDS, WORDS]),
        ("f() { @; }; @", [WORDS, WORDS]),
        ("`@` @", [UNSURE, WORDS]),
        (r"`a \` @` @", [UNSURE, WORDS]),
        ('"`@`@"', [UNSURE, DOUBLE]),
        ("${x:-@} @", [UNSURE, WORDS]),
        ('"${x:-"@"}@"', [UNSURE, DOUBLE]),
        ("${x:-'}'@}@", [UNSURE, WORDS]),
        ('"${x:-\'}@"', [DOUBLE]),
        ("$'@\\'@' @", [UNSURE, UNSURE, WORDS]),
        ('$"@" @', [DOUBLE, WORDS]),
        ("$(( @ << 2 )) @", [UNSURE, WORDS]),
        ("(( x = @ << (1) )); @", [UNSURE, WORDS]),
        ("$@", [UNSURE]),
        ("case a in a) @;; esac; @", [WORDS, WORDS]),
        ("$(case a in a) @;; esac) @", [UNSURE, UNSURE]),
        ("$(echo showcase x; @) @", [WORDS, WORDS]),
        ("cat <<EOF @\n@ '@' \"@\"\nEOF\n@", [WORDS, HERE, HERE, HERE, WORDS]),
        ("cat <<'EOF'\n@ $(@\nEOF\n@", [LITERAL, LITERAL, WORDS]),
        ('cat <<"A B"\n@\nA B\n@', [LITERAL, WORDS]),
        ("cat <<\\EOF\n@\nEOF\n@", [LITERAL, WORDS]),
        ("cat <<-EOF\n\t@\n\tEOF\n@", [HERE, WORDS]),
        ("cat <<EOF\n@\n\tEOF\n@\nEOF\n@", [HERE, HERE, WORDS]),
        ("cat <<EOF\n@ EOF\nEOF \n@\nEOF\n@", [HERE, HERE, WORDS]),
        ("cat <<A <<'B'\n@\nA\n@\nB\n@", [HERE, LITERAL, WORDS]),
        ("cat <<EOF\na\\\nEOF\n@\nEOF\n@", [HERE, WORDS]),
        ("cat <<EOF\na\\\\\nEOF\n@", [WORDS]),
        ("cat <<'EOF'\na\\\nEOF\n@", [WORDS]),
        ('cat <<EOF\n$(a @ "@") `@` ${x:-@} @\nEOF\n', [UNSURE, UNSURE, UNSURE, UNSURE, HERE]),
        ("$(cat <<EOF\n@\nEOF\n) @", [HERE, WORDS]),
        ("cat <<< '@' @", [SINGLE, WORDS]),
        ("cat <<EOF", []),
        ("cat <<EOF\n@", [HERE]),
    ],
)
def test_place(script: str, expected: list[Place]) -> None:
    assert places(script) == expected


@given(st.text("\"'`$(){}<>EOF\\\n #@a;-", max_size=40))
def test_any_text_has_a_place_for_every_variable(script: str) -> None:
    assert len(places(script)) == script.count(MARK)
