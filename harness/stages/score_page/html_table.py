"""HTML of tables that a reader can sort, and the escaping that everything on a page goes through."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

#: What stands where there is no value; sorted last in either direction.
NOTHING: Final = "-"
#: Longer tables scroll in a box of their own, so that the page stays short.
_LONG: Final = 25


class Html(str):
    """Text that is HTML already; any other text is escaped before it gets onto a page."""

    __slots__ = ()


def text(value: object) -> Html:
    """Return a value as HTML, escaped unless it is `Html`; also safe between the quotes of an attribute."""
    return value if isinstance(value, Html) else Html(escape(str(value)))


def joined(parts: Iterable[str]) -> Html:
    """Return parts one after the other, each escaped unless it is `Html`."""
    return Html("".join(map(text, parts)))


def number(value: float | None, decimals: int = 2, unit: str = "") -> str:
    """Return a number with so many decimals and its unit, `NOTHING` for None and nan."""
    return NOTHING if value is None or value != value else f"{value:.{decimals}f}{unit}"


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        heading: also the text of the button that sorts.
        is_number: right-aligned, and sorted by the number with which a cell begins.
        is_worst_high: the first click puts the largest on top.
    """

    heading: str
    is_number: bool = False
    is_worst_high: bool = False


def numbers(*headings: str) -> tuple[Column, ...]:
    """Return columns of numbers of which the smallest is the worst."""
    return tuple(Column(heading, is_number=True) for heading in headings)


@dataclass(frozen=True, kw_only=True)
class HtmlTable:
    """A table; the first cell of a row names the row.

    Attributes:
        label: what the table holds, for those who do not see it.
        identity: id of the element; empty for none.
        groups: heading and number of columns of each group, from the first column on; empty for no groups.
    """

    label: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    identity: str = ""
    groups: Sequence[tuple[str, int]] = ()

    def html(self) -> Html:
        """Return the table in a box that scrolls sideways by itself, and upwards too if the table is long."""
        box = "box long" if len(self.rows) > _LONG else "box"
        identity = f' id="{text(self.identity)}"' if self.identity else ""
        kinds = [' class="n"' if column.is_number else "" for column in self.columns]
        rows = "\n".join(f"<tr>{_cells(row, kinds)}</tr>" for row in self.rows)
        return Html(
            f'<div class="{box}" role="region" tabindex="0" aria-label="{text(self.label)}">\n<table{identity}>\n'
            f"<thead>{self._groups()}<tr>{''.join(map(_heading, self.columns))}</tr></thead>\n"
            f"<tbody>\n{rows}\n</tbody>\n</table>\n</div>\n"
        )

    def _groups(self) -> str:
        if not self.groups:
            return ""
        cells = [
            f'<th scope="colgroup" colspan="{width}">{text(heading)}</th>'
            if heading
            else f'<td colspan="{width}"></td>'
            for heading, width in self.groups
        ]
        return f'<tr class="groups">{"".join(cells)}</tr>'


def folded(summary: str, content: str, *, is_open: bool = False) -> Html:
    """Return content below a line that opens and closes it."""
    state = " open" if is_open else ""
    return Html(f"<details{state}><summary>{text(summary)}</summary>\n{text(content)}</details>\n")


def _heading(column: Column) -> str:
    kind = ' class="n" data-kind="number"' if column.is_number else ""
    first = ' data-first="descending"' if column.is_worst_high else ""
    return f'<th scope="col"{kind}{first}><button type="button">{text(column.heading)}</button></th>'


def _cells(row: Sequence[str], kinds: Sequence[str]) -> str:
    name, *others = row
    cells = [f"<td{kind}>{text(cell)}</td>" for cell, kind in zip(others, kinds[1:], strict=True)]
    return f'<th scope="row"{kinds[0]}>{text(name)}</th>{"".join(cells)}'
