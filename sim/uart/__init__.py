"""The UART and a board's start at its pins, in simulation."""
