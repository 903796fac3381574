"""The simulated world: state in, state out. Reads no clock, opens no socket, knows no wire format."""
