"""A drawn town: one straight street, for tests that count its lanes and points by hand."""

from __future__ import annotations

import carla

from harness.drive.road_graph import RoadGraph

LANE = """<lane id="{id}" type="driving" level="false"><link>{link}</link><width sOffset="0" a="3.5" b="0" c="0" d="0"/>
<roadMark sOffset="0" type="{mark}" weight="standard" color="standard" width="0.1"/></lane>"""
ROAD = """<road name="" length="100" id="{id}" junction="-1"><link><{side} elementType="road" elementId="{other}"
contactPoint="{contact}"/></link>
<planView><geometry s="0" x="{x}" y="0" hdg="0" length="100"><line/></geometry></planView>
<elevationProfile/><lateralProfile/><lanes><laneSection s="0"><left>{left}</left>
<center><lane id="0" type="none" level="false"><link/>
<roadMark sOffset="0" type="broken" weight="standard" color="standard" width="0.1" laneChange="both"/></lane></center>
<right>{inner}{outer}</right></laneSection></lanes></road>"""


def drawn_road(number: int, side: str, other: int, contact: str) -> str:
    def lane(lane_id: int, mark: str) -> str:
        return LANE.format(id=lane_id, link=f'<{side} id="{lane_id}"/>', mark=mark)

    return ROAD.format(
        id=number,
        side=side,
        other=other,
        contact=contact,
        x=(number - 1) * 100,
        left=lane(1, "solid"),
        inner=lane(-1, "broken"),
        outer=lane(-2, "solid"),
    )


def drawn_street() -> RoadGraph:
    """200 m east in two roads: lanes -1 and -2 (y = 1.75 and 5.25), and lane 1 the other way (y = -1.75)."""
    roads = drawn_road(1, "successor", 2, "start") + drawn_road(2, "predecessor", 1, "end")
    header = '<header revMajor="1" revMinor="4" name="" version="1"/>'
    return RoadGraph(carla.Map("Street", f'<?xml version="1.0"?><OpenDRIVE>{header}{roads}</OpenDRIVE>'))
