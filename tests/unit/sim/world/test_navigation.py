"""Where people walk: on the sidewalks that a town's text has, and from one to the next over its crosswalks."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from harness.sim.world.cross_sections import read_roads
from harness.sim.world.crossings import split_outlines
from harness.sim.world.derived import pack, unpack
from harness.sim.world.navigation import Ground, Walkways, find_walkways, neighbours, signed_area_m2
from harness.sim.world.opendrive import parse_map
from harness.sim.world.town import Town


def _road(
    number: int,
    x_m: float,
    length_m: float = 40.0,
    *,
    sides: Sequence[int] = (1, -1),
    outside: Sequence[tuple[str, float]] = (("sidewalk", 2.0),),
    links: str = "",
    extra: str = "",
    z_m: float = 0.0,
    hdg: float = 0.0,
    y_m: float = 0.0,
) -> str:
    """Draw a straight road with a driving lane of 3.5 m and other lanes outside of it, on both sides or on one."""
    lanes = {}
    for side in (1, -1):
        kinds = [("driving", 3.5), *(outside if side in sides else ())]
        lanes[side] = "".join(
            f'<lane id="{side * (k + 1)}" type="{kind}" level="false">'
            f'<width sOffset="0" a="{width}" b="0" c="0" d="0"/></lane>'
            for k, (kind, width) in enumerate(kinds)
        )
    return f"""<road name="" length="{length_m}" id="{number}" junction="-1"><link>{links}</link>
    <planView><geometry s="0" x="{x_m}" y="{y_m}" hdg="{hdg}" length="{length_m}"><line/></geometry></planView>
    <elevationProfile><elevation s="0" a="{z_m}" b="0" c="0" d="0"/></elevationProfile><lateralProfile/>
    <lanes><laneSection s="0"><left>{lanes[1]}</left><center><lane id="0" type="none" level="false"/></center>
    <right>{lanes[-1]}</right></laneSection></lanes>{extra}</road>"""


def _crosswalk(s_m: float, half_length_m: float = 3.6, half_width_m: float = 1.5) -> str:
    u, v = half_length_m, half_width_m
    corners = "".join(
        f'<cornerLocal u="{a}" v="{b}" z="0" height="0"/>' for a, b in ((u, v), (u, -v), (-u, -v), (-u, v), (u, v))
    )
    return (
        f'<objects><object id="1" s="{s_m}" t="0" zOffset="0" pitch="0" roll="0" name="c" type="crosswalk" '
        f'orientation="+" hdg="1.5707963" width="{2 * v}" length="{2 * u}"><outline>{corners}</outline>'
        "</object></objects>"
    )


def _walkways(*roads: str, junctions: str = "") -> Walkways:
    text = f'<OpenDRIVE><header revMajor="1" revMinor="4" name="drawn"/>{"".join(roads)}{junctions}</OpenDRIVE>'
    return find_walkways(parse_map("drawn", text), read_roads(text))


def _pieces(ways: Walkways) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the connected piece that each sidewalk and crosswalk belongs to, and the area of each piece."""
    polygons = ways.polygons[ways.ground != Ground.ROAD]
    count = len(polygons)
    pairs = np.array(neighbours(polygons)).reshape(-1, 2)
    links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    _, piece = connected_components(links, directed=False)
    return piece, np.bincount(piece, -signed_area_m2(ways.vertices_m, polygons))


def _owners(ways: Walkways) -> Counter[frozenset[int]]:
    """Return how many polygons have each edge."""
    owners: Counter[frozenset[int]] = Counter()
    for polygon in ways.polygons.tolist():
        corners = [corner for corner in polygon if corner >= 0]
        owners.update(map(frozenset, zip(corners, [*corners[1:], corners[0]], strict=True)))
    return owners


def _area_m2(ways: Walkways, ground: Ground) -> float:
    return float(-signed_area_m2(ways.vertices_m, ways.polygons)[ways.ground == ground].sum())


def test_a_sidewalk_keeps_people_inside_its_edges() -> None:
    ways = _walkways(_road(1, 0.0))
    assert set(ways.ground.tolist()) == {Ground.SIDEWALK, Ground.ROAD}
    # From 3.5 m to 5.5 m on either side of the middle, 0.3 m off each edge.
    assert sorted({round(float(y), 2) for y in np.abs(ways.vertices_m[:, 1])}) == [3.8, 5.2]
    assert _area_m2(ways, Ground.SIDEWALK) == pytest.approx(2 * 40.0 * 1.4, rel=1e-3)
    assert len(_pieces(ways)[1]) == 2


def test_a_crosswalk_joins_both_sides() -> None:
    ways = _walkways(_road(1, 0.0, extra=_crosswalk(20.0)))
    assert len(_pieces(ways)[1]) == 1
    (way,) = ways.polygons[ways.ground == Ground.CROSSWALK]
    corners = ways.vertices_m[way]
    assert sorted(round(float(x), 2) for x in corners[:, 0]) == [18.8, 18.8, 21.2, 21.2]  # 3 m less the margins
    assert sorted(round(float(y), 2) for y in corners[:, 1]) == [-3.8, -3.8, 3.8, 3.8]


@pytest.mark.parametrize("half_length_m", [2.0, 5.0, 6.0])
def test_a_crosswalk_reaches_the_kerb_wherever_it_ends(half_length_m: float) -> None:
    ways = _walkways(_road(1, 0.0, extra=_crosswalk(20.0, half_length_m)))
    assert len(_pieces(ways)[1]) == 1
    assert _area_m2(ways, Ground.CROSSWALK) == pytest.approx(7.6 * 2.4, rel=1e-3)


def test_two_crosswalks_at_one_place_do_not_share_an_edge() -> None:
    both = _crosswalk(20.0).replace("</objects>", "") + _crosswalk(21.0).replace("<objects>", "").replace('"1"', '"2"')
    ways = _walkways(_road(1, 0.0, extra=both))
    assert max(_owners(ways).values()) == 2
    assert (ways.ground == Ground.CROSSWALK).sum() == 2


def test_a_crosswalk_that_leads_to_no_sidewalk_is_none() -> None:
    ways = _walkways(_road(1, 0.0, sides=(1,), extra=_crosswalk(20.0)))
    assert set(ways.ground.tolist()) == {Ground.SIDEWALK}
    assert len(_walkways(_road(1, 0.0, sides=(), extra=_crosswalk(20.0))).polygons) == 0


def test_sidewalks_go_on_from_road_to_road_whichever_way_the_roads_run() -> None:
    forward = _walkways(_road(1, 0.0), _road(2, 40.0))
    # The second road begins where this one ended, and runs back.
    backward = _walkways(_road(1, 0.0), _road(2, 80.0, hdg=np.pi))
    for ways in (forward, backward):
        _, area_m2 = _pieces(ways)
        assert area_m2 == pytest.approx([80.0 * 1.4] * 2, rel=1e-3)
        assert len({round(float(x), 1) for x in ways.vertices_m[:, 0]} & {40.0}) == 1


def test_a_small_gap_is_bridged_and_a_step_is_not() -> None:
    assert len(_pieces(_walkways(_road(1, 0.0), _road(2, 42.0)))[1]) == 2
    assert len(_pieces(_walkways(_road(1, 0.0), _road(2, 47.0)))[1]) == 4
    assert len(_pieces(_walkways(_road(1, 0.0), _road(2, 40.0, z_m=2.0)))[1]) == 4


def test_a_wide_sidewalk_goes_on_as_a_narrow_one() -> None:
    wide = (("sidewalk", 2.0), ("sidewalk", 3.0))
    _, area_m2 = _pieces(_walkways(_road(1, 0.0), _road(2, 40.0, outside=wide)))
    assert len(area_m2) == 2
    assert (area_m2 > 40.0 * 1.4 + 10.0 * 4.4).all()  # lanes side by side are one sidewalk


def test_roads_above_each_other_are_not_joined() -> None:
    over = _road(2, 20.0, hdg=np.pi / 2, y_m=-20.0, z_m=6.0)
    ways = _walkways(_road(1, 0.0, extra=_crosswalk(20.0)), over)
    assert len(_pieces(ways)[1]) == 3
    heights_m = ways.vertices_m[ways.polygons, 2]
    assert (np.ptp(np.where(ways.polygons >= 0, heights_m, heights_m[:, :1]), axis=1) < 1e-6).all()


def test_without_crosswalks_people_cross_where_a_road_ends_at_a_junction() -> None:
    junction = (
        '<junction name="" id="7"><connection id="0" incomingRoad="1" connectingRoad="2" contactPoint="start">'
        '<laneLink from="-1" to="-1"/></connection></junction>'
    )
    ending = '<successor elementType="junction" elementId="7"/>'
    ways = _walkways(
        _road(1, 0.0, links=ending), _road(2, 40.0).replace('junction="-1"', 'junction="7"'), junctions=junction
    )
    assert len(_pieces(ways)[1]) == 1
    corners = ways.vertices_m[ways.polygons[ways.ground == Ground.CROSSWALK]].reshape(-1, 3)
    assert sorted({round(float(x), 1) for x in corners[:, 0]}) == [35.5, 38.5]


def test_a_town_without_sidewalks_has_people_walk_on_the_shoulder() -> None:
    ways = _walkways(_road(1, 0.0, outside=(("shoulder", 2.0),)))
    assert _area_m2(ways, Ground.SIDEWALK) == pytest.approx(2 * 40.0 * 1.4, rel=1e-3)
    nothing = _walkways(_road(1, 0.0, outside=()))
    assert len(nothing.polygons) == len(nothing.vertices_m) == 0


def test_the_road_lies_between_the_sidewalks_where_no_crosswalk_does() -> None:
    ways = _walkways(_road(1, 0.0, extra=_crosswalk(20.0)))
    assert _area_m2(ways, Ground.ROAD) == pytest.approx((40.0 - 2.4) * 7.6, rel=1e-3)
    assert max(_owners(ways).values()) == 2
    # Each of its edges but the two at the ends of the road leads on: to sidewalks, the crosswalk, or more road.
    road = Walkways(**{**vars(ways), "polygons": ways.polygons[ways.ground == Ground.ROAD]})
    assert sum(_owners(ways)[edge] == 1 for edge in _owners(road)) == 2
    assert Ground.ROAD not in _walkways(_road(1, 0.0, sides=(-1,))).ground


def test_outlines_end_where_they_began() -> None:
    square = [(0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (1.0, 1.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 0.0)]
    line = [(5.0, 0.0, 0.0), (6.0, 0.0, 0.0), (5.0, 0.0, 0.0)]
    assert [len(outline) for outline in split_outlines([*square, *line, *square])] == [4, 4]
    assert split_outlines(square[:-1]) == []


def _assert_sound(ways: Walkways) -> None:
    """Check that polygons are convex, clockwise and made of vertices that there are, two at an edge."""
    polygons = ways.polygons
    assert polygons.max() < len(ways.vertices_m) and np.isfinite(ways.vertices_m).all()
    assert (signed_area_m2(ways.vertices_m, polygons) < 0.0).all()
    corners = ways.vertices_m[np.where(polygons >= 0, polygons, polygons[:, :1]), :2]
    sides = np.roll(corners, -1, axis=1) - corners
    # A triangle's fourth side has no length: the turn there is the one between the sides around it.
    sides = np.where((polygons < 0)[..., None], sides[:, :1], sides)
    before = np.roll(sides, 1, axis=1)
    assert (before[..., 0] * sides[..., 1] - before[..., 1] * sides[..., 0]).max() < 1e-6


def test_a_town_of_our_own_is_one_piece(borough: Town) -> None:
    ways = borough.walkways
    _assert_sound(ways)
    assert len(_pieces(ways)[1]) == 1
    assert max(_owners(ways).values()) == 2
    assert (ways.ground == Ground.CROSSWALK).sum() == 20
    again = find_walkways(parse_map(borough.name, borough.opendrive), read_roads(borough.opendrive))
    assert again.vertices_m.tobytes() == ways.vertices_m.tobytes()
    assert again.polygons.tobytes() == ways.polygons.tobytes()


# town: pieces, and share of the largest. What stands apart has no way there in the real town file either.
PIECES = {"Town01": (1, 1.0), "Town03": (8, 0.87), "Town05": (2, 0.78)}


@pytest.mark.parametrize("name", PIECES)
def test_the_sidewalks_of_carlas_towns_hang_together(name: str, harness_data: Path) -> None:
    text = gzip.decompress((harness_data / f"maps/{name}.xodr.gz").read_bytes()).decode()
    ways = find_walkways(parse_map(name, text), read_roads(text))
    _assert_sound(ways)
    _, area_m2 = _pieces(ways)
    count, share = PIECES[name]
    assert len(area_m2) <= count and area_m2.max() >= share * area_m2.sum() - 1e-6
    assert len(ways.polygons) < 3_000


@pytest.mark.parametrize(
    ("part", "row", "value"), [("polygons", (3, 0), 10**6), ("polygons", (3, 2), -1), ("vertices_m", (0, 0), np.nan)]
)
def test_kept_walkways_that_are_damaged_are_refused(borough: Town, part: str, row: Any, value: float) -> None:
    arrays = pack(borough)
    damaged = arrays[f"walkways.{part}"].copy()
    damaged[row] = value
    with pytest.raises(ValueError, match=r"walkway has|not finite"):
        unpack(borough.name, borough.opendrive, {**arrays, f"walkways.{part}": damaged})
