"""Widths and neighbours of lanes, read from drawn OpenDRIVE."""

from __future__ import annotations

import numpy as np
import pytest

from harness.sim.world.cross_sections import Road, Section, lanes_beside, read_roads

TEXT = """<OpenDRIVE>
  <road id="7" length="100">
    <lanes>
      <laneSection s="40">
        <center><lane id="0" type="none"/></center>
        <right><lane id="-1" type="driving"><width sOffset="0" a="3" b="0" c="0" d="0"/></lane></right>
      </laneSection>
      <laneSection s="0">
        <left>
          <lane id="2" type="sidewalk"><width sOffset="10" a="5" b="-1" c="0.5" d="0.25"/>
            <width sOffset="0" a="2" b="0.1" c="0" d="0"/></lane>
          <lane id="1" type="driving"><width sOffset="0" a="x" b="0" c="0" d="0"/></lane>
        </left>
        <center><lane id="0" type="none"/></center>
        <right>
          <lane id="-1" type="median"/>
          <lane id="-2" type="driving"/>
          <lane id="-3" type="shoulder"/>
          <lane id="-4" type="sidewalk"/>
          <lane id="-6" type="sidewalk"/>
        </right>
      </laneSection>
    </lanes>
  </road>
  <road id="8" length="5"/>
</OpenDRIVE>"""


@pytest.fixture(scope="module")
def sections() -> list[Section]:
    return read_roads(TEXT)[0].sections


def test_sections_come_in_the_order_of_the_road(sections: list[Section]) -> None:
    assert [section.start_m for section in sections] == [0.0, 40.0]
    assert read_roads(TEXT)[1] == Road(road_id=8, length_m=5.0, is_junction=False)


def test_a_width_is_the_polynomial_of_its_piece(sections: list[Section]) -> None:
    lane = sections[0].lanes[2]
    found = lane.width_m(np.array([-1.0, 0.0, 9.0, 10.0, 12.0]))
    assert found == pytest.approx([1.9, 2.0, 2.9, 5.0, 5.0 - 2.0 + 2.0 + 2.0])


def test_a_width_is_never_negative_and_zero_where_none_is_given(sections: list[Section]) -> None:
    assert sections[0].lanes[2].width_m(np.array([-100.0])).tolist() == [0.0]
    assert sections[0].lanes[-1].width_m(np.array([1.0])).tolist() == [0.0]
    assert sections[0].lanes[1].width_m(np.array([1.0])).tolist() == [0.0]  # what is no number


def test_neighbours_come_nearest_first_up_to_a_driving_lane(sections: list[Section]) -> None:
    def types(lane_id: int, side: int) -> list[str]:
        return [lane.type for lane in lanes_beside(sections[0], lane_id, side, ("driving",))]

    assert types(-2, 1) == ["shoulder", "sidewalk"]  # a gap in the numbers ends it
    assert types(-2, -1) == ["median"]
    assert types(1, 1) == ["sidewalk"]
    assert types(1, -1) == types(2, -1) == []
