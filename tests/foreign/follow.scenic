"""A car follows another along a lane and keeps its distance."""
model scenic.simulators.carla.model

GAP_M = 9

behavior Follower():
    try:
        do FollowLaneBehavior(target_speed=9)
    interrupt when withinDistanceToObjsInLane(self, GAP_M):
        take SetThrottleAction(0), SetBrakeAction(1)

monitor KeepsDistance(leader, follower):
    while True:
        require (distance from leader to follower) > 4.5
        wait

straight = Uniform(*filter(lambda lane: lane.centerline.length > 120, network.lanes))
spot = new OrientedPoint on straight.centerline
ego = new Car at spot, with blueprint "vehicle.lincoln.mkz_2017", with behavior Follower()
leader = new Car following roadDirection from spot for 14, with blueprint "vehicle.tesla.model3",
    with behavior FollowLaneBehavior(target_speed=6)

require leader in straight
require (distance from spot to intersection) > 80
require monitor KeepsDistance(leader, ego)
record final (distance from ego to leader) as gap_m
record final ego.speed as speed_mps
record final (distance from ego to spot) as travelled_m
