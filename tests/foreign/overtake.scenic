"""A car changes lane, passes a slow one and changes back."""
model scenic.simulators.carla.model

behavior Overtaker(slow):
    try:
        do FollowLaneBehavior(target_speed=7)
    interrupt when withinDistanceToAnyObjs(self, 30) and self.lane is slow.lane:
        do LaneChangeBehavior(laneSectionToSwitch=self.laneSection.fasterLane, target_speed=7)
        do FollowLaneBehavior(target_speed=9, laneToFollow=self.lane) until (distance from self to slow) > 12 and (
            self.position - slow.position).rotatedBy(-self.heading).y > 0
        terminate

monitor NeverTouches(slow, passing):
    while True:
        require (distance from slow to passing) > 2.5
        wait

sections = filter(lambda s: s._fasterLane is not None and s.centerline.length > 90, network.laneSections)
section = Uniform(*sections)
spot = new OrientedPoint on section.centerline
slow = new Car following roadDirection from spot for 40, with blueprint "vehicle.nissan.micra",
    with behavior FollowLaneBehavior(target_speed=2)
ego = new Car at spot, with blueprint "vehicle.lincoln.mkz_2017", with behavior Overtaker(slow)

require slow in section
require (distance from spot to intersection) > 60
require monitor NeverTouches(slow, ego)
record final (ego.position - slow.position).rotatedBy(-ego.heading).y as ahead_m
