"""A town seen from above with a mark wherever something went wrong: SVG, drawn from the places of the events alone.

As in CARLA's own top view x grows to the right and y downwards, with one scale for both. No town is loaded, so the map
reaches as far as the events do. Marks differ in shape and in colour (Okabe and Ito's palette, which people with any
colour vision tell apart); the page's style sheet has the colours, for light and dark.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

from harness.datatypes.infraction import InfractionKind
from harness.stages.score_page.html_table import Html, text
from harness.stages.score_page.infraction_events import PlacedEvent

#: Outline of each mark around its place, in pixels.
_SHAPES: Final[dict[InfractionKind, str]] = {
    InfractionKind.COLLISION_PEDESTRIAN: "M-5.5 0a5.5 5.5 0 1 0 11 0a5.5 5.5 0 1 0-11 0z",  # disc
    InfractionKind.COLLISION_VEHICLE: "M0-6.8L6.4 4.6H-6.4z",  # triangle
    InfractionKind.COLLISION_LAYOUT: "M-5-5H5V5H-5z",  # square
    InfractionKind.RED_LIGHT: "M0-7L6 0 0 7-6 0z",  # diamond
    InfractionKind.STOP: "M-2.4-5.8H2.4L5.8-2.4V2.4L2.4 5.8H-2.4L-5.8 2.4V-2.4z",  # octagon
    InfractionKind.YIELD_EMERGENCY: "M-2-6H2V-2H6V2H2V6H-2V2H-6V-2H-2z",  # plus
    InfractionKind.SCENARIO_TIMEOUT: "M-5.5-6H5.5L1 0 5.5 6H-5.5L-1 0z",  # hourglass
    InfractionKind.ROUTE_DEVIATION: "M-6-3L-3-6 0-3 3-6 6-3 3 0 6 3 3 6 0 3-3 6-6 3-3 0z",  # cross
    InfractionKind.BLOCKED: "M-6.5-2.6H6.5V2.6H-6.5z",  # bar
}
#: Towns with fewer metres between their events are not drawn larger, so that a single event has its surroundings.
_LEAST_EXTENT_M: Final = 200.0
_MARGIN: Final = 0.09
_LARGEST_BAR: Final = 0.25
_FEWEST_LINES: Final = 4.0
#: Lines further right, and further up, have no name at the edge: it would be cut off, or lie on that of another.
_LAST_NAME: Final = 0.9
_FIRST_NAME: Final = 0.09


def shapes() -> Html:
    """Return the marks, once per page, for `mark` and `town_map` to use."""
    paths = "".join(f'<path id="mark-{kind}" class="mark {kind}" d="{d}"/>' for kind, d in _SHAPES.items())
    return Html(f'<svg width="0" height="0" class="shapes" aria-hidden="true"><defs>{paths}</defs></svg>\n')


def mark(kind: InfractionKind) -> Html:
    """Return the mark of a kind to stand in a line of text; as wide and empty if it never has a place on a map."""
    if kind not in _SHAPES:
        return Html('<span class="key"></span>')
    return Html(
        f'<svg class="key" width="16" height="16" viewBox="-8 -8 16 16" aria-hidden="true">'
        f'<use href="#mark-{kind}"/></svg>'
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """The part of the world that is drawn: its corner with the least x and y, its size, and the scale."""

    left_m: float
    top_m: float
    width_m: float
    height_m: float
    px_per_m: float

    def to_px(self, x_m: float, y_m: float) -> tuple[float, float]:
        """Return where in the drawing a place lies."""
        return (x_m - self.left_m) * self.px_per_m, (y_m - self.top_m) * self.px_per_m

    @property
    def height_px(self) -> float:
        """Height of the drawing."""
        return self.height_m * self.px_per_m

    @property
    def grid_m(self) -> float:
        """Distance of the lines of the grid."""
        return round_length(self.width_m / _FEWEST_LINES)


def frame_of(events: Sequence[PlacedEvent], width_px: float, flattest: float = 0.45, steepest: float = 0.75) -> Frame:
    """Return the frame that holds all events with a margin.

    Args:
        events: at least one.
        width_px: of the drawing.
        flattest, steepest: limits of height / width; what is missing is added around the events.
    """
    xs, ys = [event.x_m for event in events], [event.y_m for event in events]
    grown = 1.0 + 2.0 * _MARGIN
    width_m = max((max(xs) - min(xs)) * grown, _LEAST_EXTENT_M)
    height_m = max((max(ys) - min(ys)) * grown, width_m * flattest)
    width_m = max(width_m, height_m / steepest)
    return Frame(
        left_m=(min(xs) + max(xs) - width_m) / 2.0,
        top_m=(min(ys) + max(ys) - height_m) / 2.0,
        width_m=width_m,
        height_m=height_m,
        px_per_m=width_px / width_m,
    )


def town_map(town: str, events: Sequence[PlacedEvent], describe: Callable[[PlacedEvent], str], frame: Frame) -> Html:
    """Return the drawing of one town.

    Args:
        events: of this town, at least one; later ones lie on top.
        describe: what the tooltip of an event says.
    """
    width_px, height_px = frame.width_m * frame.px_per_m, frame.height_px
    marks = "\n".join(
        f'<use href="#mark-{event.kind}" x="{x:.1f}" y="{y:.1f}" data-agent="{event.agent}" '
        f'data-kind="{event.kind}"><title>{text(describe(event))}</title></use>'
        for event in events
        for x, y in [frame.to_px(event.x_m, event.y_m)]
    )
    label = f"{town}: {len(events)} events, seen from above; x to the right, y downwards"
    return Html(
        f'<svg class="town" viewBox="0 0 {width_px:.0f} {height_px:.0f}" role="img" aria-label="{text(label)}">\n'
        f'<g class="grid">{"".join(_grid(frame))}</g>\n{marks}\n{_scale_bar(frame)}</svg>'
    )


def round_length(at_most: float) -> float:
    """Return the largest of 1, 2 and 5 times a power of ten that is not larger; for scales that a reader can use."""
    power = 10.0 ** math.floor(math.log10(at_most))
    return max((factor * power for factor in (1.0, 2.0, 5.0) if factor * power <= at_most), default=power)


def _grid(frame: Frame) -> Iterator[str]:
    """Return lines at round metres, named at the edge, and where they cross for those who see a part of the map."""
    width_px, height_px = frame.width_m * frame.px_per_m, frame.height_px
    columns = _multiples(frame.left_m, frame.width_m, frame.grid_m)
    rows = _multiples(frame.top_m, frame.height_m, frame.grid_m)
    for x_m in columns:
        x, _ = frame.to_px(x_m, 0.0)
        yield f'<path d="M{x:.1f} 0V{height_px:.1f}"/>'
        if x < _LAST_NAME * width_px:
            yield f'<text class="edge" transform="translate({x:.1f} 0)" dy="1.2em" dx=".3em">{_metres(x_m)}</text>'
    for y_m in rows:
        _, y = frame.to_px(0.0, y_m)
        yield f'<path d="M0 {y:.1f}H{width_px:.1f}"/>'
        if y > _FIRST_NAME * height_px:
            yield f'<text class="edge" transform="translate(0 {y:.1f})" dy="-.35em" dx=".4em">{_metres(y_m)}</text>'
    for x_m, y_m in product(columns, rows):
        x, y = frame.to_px(x_m, y_m)
        name = f"{_metres(x_m)}, {_metres(y_m)}"
        yield f'<text class="crossing" transform="translate({x:.1f} {y:.1f})" dy="-.35em" dx=".4em">{name}</text>'


def _multiples(start: float, length: float, step: float) -> list[float]:
    return [number * step for number in range(math.ceil(start / step), math.floor((start + length) / step) + 1)]


def _scale_bar(frame: Frame) -> str:
    length_m = round_length(frame.width_m * _LARGEST_BAR)
    length_px = length_m * frame.px_per_m
    right, bottom = frame.width_m * frame.px_per_m - 12.0, frame.height_px - 12.0
    left, middle = right - length_px, right - length_px / 2.0
    return (
        f'<g class="scale"><path d="M{left:.1f} {bottom - 6.0:.1f}v6h{length_px:.1f}v-6"/>'
        f'<text transform="translate({middle:.1f} {bottom:.1f})" dy="-.5em">{_metres(length_m)} m</text></g>\n'
    )


def _metres(value: float) -> str:
    return f"{value:.0f}" if value == round(value) else f"{value:g}"
