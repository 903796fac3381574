"""CARLA's wire protocol: bytes to typed messages and back. Nothing here opens a socket or knows the world."""
