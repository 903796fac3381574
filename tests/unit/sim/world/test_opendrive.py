"""Texts that the client's parser does not survive are refused before it sees them."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import SimError
from harness.sim.world.opendrive import find_problem, parse_map

ROAD = '<road id="{id}" length="{length}" junction="-1"><planView/><lanes/>{inside}</road>'

# Two driving lanes up to 45 km, then four.
LANES = "".join(
    f'<laneSection s="{start}">' + '<lane type="driving"/>' * count + '<lane type="sidewalk"/></laneSection>'
    for start, count in (("0", 2), ("45000", 4))
)


def text_of(*roads: str, more: str = "") -> str:
    return f'<?xml version="1.0"?><OpenDRIVE>{"".join(roads)}{more}</OpenDRIVE>'


def road(number: str = "0", length: str = "50", inside: str = "") -> str:
    return ROAD.format(id=number, length=length, inside=inside)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (text_of(road()), None),
        (text_of(road(inside='<signals><signal id="7"/><signalReference id="7"/></signals>')), None),
        ("", "no element found"),
        ("garbage", "syntax error"),
        (text_of(road())[:-5], "unclosed token"),
        (text_of(), "no road in it"),
        (text_of(road("a0")), "road id 'a0', expected a whole number from 0 to 2147483647"),
        (text_of(road("-1")), "road id '-1'"),
        (text_of(road("999999999990")), "road id '999999999990'"),
        (text_of(road(length="0")), "road 0 is 0 m long"),
        (text_of(road(length="-50")), "road 0 is -50 m long"),
        (text_of(road(length="1e15")), "road 0 is 1e+15 m long"),
        (text_of(road(length="nan")), "length of road 0 is 'nan', expected a number"),
        (text_of(*(road(str(k), "99999") for k in range(101))), "m long together"),
        (text_of(*(road(str(k), "90000", inside=LANES) for k in range(11))), None),  # 2,970 km of driving lanes
        (text_of(*(road(str(k), "90000", inside=LANES) for k in range(12))), "driving lanes are 3.24e+06 m long"),
        (text_of(road(), more='<junction id="x"/>'), "junction id 'x'"),
        (text_of(road(inside='<signals><signalReference id="9"/></signals>')), "it refers to signal '9'"),
        (text_of(road(), more='<controller id="1"><control signalId="zz"/></controller>'), "it refers to signal 'zz'"),
    ],
)
def test_problems_are_named(text: str, problem: str | None) -> None:
    found = find_problem(text)
    assert (found is None) == (problem is None)
    assert problem is None or problem in str(found)


def test_our_own_town_is_a_town(repository: Path) -> None:
    opendrive = (repository / "routes/towns/Borough01.xodr").read_text()
    assert find_problem(opendrive) is None
    assert len(parse_map("Borough01", opendrive).get_topology()) == 120


def test_what_the_parser_refuses_is_one_error() -> None:
    with pytest.raises(SimError, match="town 'Empty' cannot be read: no element found"):
        parse_map("Empty", "")
    with pytest.raises(SimError, match="town 'Bare' "):
        parse_map("Bare", text_of(road()))
    bad_header = "<header><geoReference>+proj=tmerc +lat_0=x</geoReference></header>"
    with pytest.raises(SimError, match="town 'Lost' cannot be read: stod"):
        parse_map("Lost", text_of(bad_header, road()))


def test_official_towns_have_no_problem(harness_data: Path) -> None:
    import gzip

    for name in ("Town01", "Town05", "Town10HD"):
        assert find_problem(gzip.decompress((harness_data / f"maps/{name}.xodr.gz").read_bytes()).decode()) is None
