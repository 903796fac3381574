"""Where in a bash script something stands: between quotes, in a comment, in a here-document. Pure.

What is to be inserted has to be quoted in another way at each of these places. This is no parser of bash: it follows
quotes, substitutions, comments and here-documents, and where it may have lost its way it says UNSURE.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from enum import StrEnum


class Place(StrEnum):
    """What surrounds a character of a script."""

    WORDS = "words"  # no quotes: words of a command
    DOUBLE = "double quotes"
    SINGLE = "single quotes"
    HERE = "here-document"  # one that the shell expands
    LITERAL = "literal here-document"  # <<'EOF'
    COMMENT = "comment"
    DIRECTIVE = "#SBATCH line"
    UNSURE = "nested substitution"


_HERE_WORD = re.compile(r"<<(?P<tabs>-?)[ \t]*(?P<word>(?:[^\s;&|<>()'\"\\]|'[^'\n]*'|\"[^\"\n]*\"|\\.)+)")
_BEFORE_WORD = frozenset(" \t\n;&|()")


def find_places(script: str, positions: Collection[int]) -> Mapping[int, Place]:
    """Tell for some characters of a script what surrounds them."""
    scanner = _Scanner(script, frozenset(positions))
    scanner.code(0, nested=False)
    return {position: scanner.places.get(position, Place.UNSURE) for position in positions}


class _Scanner:
    """Each method reads from an index on, returns the index behind what it has read, and notes places on its way."""

    def __init__(self, text: str, marks: frozenset[int]) -> None:
        self.text = text
        self.marks = marks
        self.places: dict[int, Place] = {}
        self._is_lost = False
        self._pending: list[tuple[str, bool, bool]] = []

    def code(self, at: int, *, nested: bool) -> int:
        """Read commands, to the bracket that closes them if they are nested."""
        text = self.text
        while at < len(text):
            letter = text[at]
            begins_word = at == 0 or text[at - 1] in _BEFORE_WORD
            if at in self.marks:
                at = self._note(at, Place.WORDS)
            elif letter == "\\":
                at += 2
            elif letter == "'":
                at = self._single(at + 1)
            elif letter == '"':
                at = self._double(at + 1)
            elif letter == "`":
                at = self._backticks(at + 1)
            elif letter == "$":
                at = self._dollar(at, is_quoted=False)
            elif letter == "#" and begins_word:
                at = self._comment(at)
            elif text.startswith("((", at) and begins_word:
                at = self._arithmetic(at + 2)
            elif letter == "(":
                at = self.code(at + 1, nested=True)
            elif letter == ")" and nested:
                return at + 1
            elif letter == "<":
                at = self._less(at)
            elif letter == "\n":
                at = self._here_documents(at + 1)
            else:
                # The brackets of a case's patterns are not balanced.
                if nested and begins_word and re.compile(r"case\s").match(text, at):
                    self._is_lost = True
                at += 1
        return at

    def _note(self, at: int, place: Place) -> int:
        self.places[at] = Place.UNSURE if self._is_lost and place is not Place.COMMENT else place
        return at + 1

    def _note_until(self, at: int, end: int, place: Place) -> int:
        for position in range(at, min(end, len(self.text))):
            if position in self.marks:
                self._note(position, place)
        return end

    def _single(self, at: int) -> int:
        end = self.text.find("'", at)
        return self._note_until(at, len(self.text) if end < 0 else end + 1, Place.SINGLE)

    def _double(self, at: int) -> int:
        while at < len(self.text) and self.text[at] != '"':
            at = self._quoted_step(at, Place.DOUBLE)
        return at + 1

    def _quoted_step(self, at: int, place: Place) -> int:
        """Read one character, escape or substitution where only dollar, backtick and backslash mean something."""
        letter = self.text[at]
        if at in self.marks:
            return self._note(at, place)
        if letter == "\\":
            return at + 2
        if letter == "`":
            return self._backticks(at + 1)
        if letter == "$":
            return self._dollar(at, is_quoted=True)
        return at + 1

    def _backticks(self, at: int) -> int:
        while at < len(self.text) and self.text[at] != "`":
            if at in self.marks:
                self._note(at, Place.UNSURE)
            at += 2 if self.text[at] == "\\" else 1
        return at + 1

    def _dollar(self, at: int, *, is_quoted: bool) -> int:
        rest = self.text[at + 1 : at + 3]
        if at + 1 in self.marks:
            return self._note(at + 1, Place.UNSURE)
        if rest.startswith("'") and not is_quoted:
            return self._escaped(at + 2)
        if rest == "((":
            return self._arithmetic(at + 3)
        if rest.startswith("("):
            return self.code(at + 2, nested=True)
        if rest.startswith("{"):
            return self._braces(at + 2, is_quoted=is_quoted)
        return at + 1

    def _escaped(self, at: int) -> int:
        while at < len(self.text) and self.text[at] != "'":
            if at in self.marks:
                self._note(at, Place.UNSURE)
            at += 2 if self.text[at] == "\\" else 1
        return at + 1

    def _braces(self, at: int, *, is_quoted: bool) -> int:
        while at < len(self.text) and self.text[at] != "}":
            letter = self.text[at]
            if letter == "'" and not is_quoted:
                at = self._note_until(at, self._single(at + 1), Place.UNSURE)
            elif letter == '"':
                at = self._note_until(at, self._double(at + 1), Place.UNSURE)
            else:
                at = self._quoted_step(at, Place.UNSURE)
        return at + 1

    def _arithmetic(self, at: int) -> int:
        depth = 2
        while at < len(self.text) and depth:
            letter = self.text[at]
            depth += (letter == "(") - (letter == ")")
            at = self._quoted_step(at, Place.UNSURE)
        return at

    def _comment(self, at: int) -> int:
        end = self.text.find("\n", at)
        is_directive = self.text.startswith("#SBATCH", at) and (at == 0 or self.text[at - 1] == "\n")
        place = Place.DIRECTIVE if is_directive else Place.COMMENT
        return self._note_until(at, len(self.text) if end < 0 else end, place)

    def _less(self, at: int) -> int:
        if self.text.startswith("<<<", at):
            return at + 3
        here = _HERE_WORD.match(self.text, at)
        if here is None:
            return at + 1
        word = here["word"]
        bare = re.sub(r"['\"\\]", "", word)
        self._pending.append((bare, bare != word, bool(here["tabs"])))
        return here.end()

    def _here_documents(self, at: int) -> int:
        """Read the bodies that begin behind a line on which they were announced."""
        pending, self._pending = self._pending, []
        for word, is_literal, strips_tabs in pending:
            begin = at
            is_continued = False
            while at < len(self.text):
                end = self.text.find("\n", at)
                end = len(self.text) if end < 0 else end
                line = self.text[at:end]
                if (line.lstrip("\t") if strips_tabs else line) == word and not is_continued:
                    break
                # A line that ends in a backslash is one with the next, unless nothing is expanded.
                is_continued = not is_literal and (len(line) - len(line.rstrip("\\"))) % 2 == 1
                at = end + 1
            self._here_body(begin, min(at, len(self.text)), is_literal=is_literal)
            end = self.text.find("\n", at)
            at = len(self.text) if end < 0 else end + 1
        return at

    def _here_body(self, begin: int, end: int, *, is_literal: bool) -> None:
        if is_literal:
            self._note_until(begin, end, Place.LITERAL)
            return
        body = _Scanner(self.text[begin:end], frozenset(mark - begin for mark in self.marks if begin <= mark < end))
        body._is_lost = self._is_lost
        at = 0
        while at < len(body.text):
            at = body._quoted_step(at, Place.HERE)
        # A line break deep inside would still end the document.
        self.places |= {
            begin + mark: place if place is Place.HERE else Place.UNSURE for mark, place in body.places.items()
        }
