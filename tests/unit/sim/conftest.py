"""Towns for the tests of the simulator: the repository's own, and a drawn one with nothing but a sloped road."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.sim.world.town import Town, build_town
from harness.sim.world.world import World
from tests.peers import SETTINGS, Peer, Running

# One straight road along +x, 200 m, 5 % uphill, one lane of 3.5 m each way.
SLOPED_ROAD = """<?xml version="1.0" standalone="yes"?>
<OpenDRIVE>
  <header revMajor="1" revMinor="4" name="slope"/>
  <road name="hill" length="200.0" id="1" junction="-1">
    <link/>
    <planView><geometry s="0" x="0" y="0" hdg="0" length="200.0"><line/></geometry></planView>
    <elevationProfile><elevation s="0" a="10.0" b="0.05" c="0" d="0"/></elevationProfile>
    <lateralProfile/>
    <lanes><laneSection s="0">
      <left><lane id="1" type="driving" level="false"><width sOffset="0" a="3.5" b="0" c="0" d="0"/></lane></left>
      <center><lane id="0" type="none" level="false"/></center>
      <right><lane id="-1" type="driving" level="false"><width sOffset="0" a="3.5" b="0" c="0" d="0"/></lane></right>
    </laneSection></lanes>
  </road>
</OpenDRIVE>
"""


@functools.cache
def ramp(slope: float) -> Town:
    """Return a town of one road that climbs so steeply along +x, from z = 10 m."""
    name = {0.05: "Hill", 0.0: "Level"}.get(slope, "Ramp")
    return build_town(name, SLOPED_ROAD.replace('b="0.05"', f'b="{slope}"'))


@pytest.fixture(scope="session")
def borough(repository: Path) -> Town:
    """Return the repository's town."""
    return build_town("Borough01", (repository / "routes/towns/Borough01.xodr").read_text())


@pytest.fixture(scope="session")
def hill() -> Town:
    """Return a town of one road that climbs 5 % along +x, from z = 10 m."""
    return ramp(0.05)


@pytest.fixture(scope="session")
def level() -> Town:
    """Return the same road without its slope, at z = 10 m."""
    return ramp(0.0)


@pytest.fixture
def world(request: pytest.FixtureRequest, hill: Town, level: Town) -> World:
    """Return a fresh episode on the sloped road; on the level one for tests marked so, which measure forces."""
    town = level if request.node.get_closest_marker("level_road") else hill
    return World(town, episode_id=1, first_actor_id=1, frame=1)


@pytest.fixture(scope="module")
def running(hill: Town) -> Iterator[Running]:
    running = Running(hill)
    yield running
    running.stop()


@pytest.fixture
def well(running: Running) -> Iterator[Peer]:
    """Return a well-behaved client in synchronous mode; after the test it must still be able to tick."""
    with Peer(running.port) as peer:
        assert peer.call("set_episode_settings", SETTINGS)[0] is None
        yield peer
        before = peer.call("tick_cue")[1][0][1]
        assert peer.call("tick_cue") == (None, [[1, before + 1]])
