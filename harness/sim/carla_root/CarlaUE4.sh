#!/bin/sh
# Starts the embedded simulator as CARLA's server is started: the same name, the same flags. See docs/simulator.md.
root=$(dirname -- "$(readlink -f -- "$0")")
exec /bin/sh "$root/CarlaUE4/Binaries/Linux/CarlaUE4-Linux-Shipping" CarlaUE4 "$@"
