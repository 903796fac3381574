"""carla-harness: collect, train, evaluate and score driving policies in CARLA with one Makefile."""

__version__ = "0.1.0"
