"""A car stops for another that stands in its lane, and goes on when that one has left."""
model scenic.simulators.carla.model

behavior Waiter():
    try:
        do FollowLaneBehavior(target_speed=8)
    interrupt when withinDistanceToObjsInLane(self, 12):
        take SetThrottleAction(0), SetBrakeAction(1)

behavior StandsThenLeaves():
    for _ in range(80):
        take SetThrottleAction(0), SetBrakeAction(1)
    do FollowLaneBehavior(target_speed=12)

monitor NeverTouches(standing, waiting):
    stood = False
    while True:
        require (distance from standing to waiting) > 5
        if waiting.speed < 0.2 and simulation().currentTime > 30:
            stood = True
        if stood and waiting.speed > 4:
            terminate
        wait

straight = Uniform(*filter(lambda lane: lane.centerline.length > 120, network.lanes))
spot = new OrientedPoint on straight.centerline
ego = new Car at spot, with blueprint "vehicle.lincoln.mkz_2017", with behavior Waiter()
standing = new Car following roadDirection from spot for 35, with blueprint "vehicle.tesla.model3",
    with behavior StandsThenLeaves()

require standing in straight
require (distance from spot to intersection) > 80
require monitor NeverTouches(standing, ego)
record final ego.speed as speed_mps
