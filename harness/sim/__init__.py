"""The embedded simulator: a CARLA server that needs neither Unreal nor a GPU."""
