"""Colorlight 5A-75B V7.0, a card of LED walls, with an ECP5-25F: 25 MHz oscillator, two Gigabit PHYs.

The pins of its eight large connectors go through buffers that only drive outwards. The one input is the
key's, on J19 beside the LED's output: together they are a UART.
"""

from amaranth_boards.colorlight_5a75b_r7_0 import Colorlight_5A75B_R70Platform

from trine_boards.chips import board_on_chip
from trine_boards.transports.ethernet import EthernetTransport
from trine_boards.transports.uart import UARTTransport

__all__ = ["BOARDS"]

BOARDS = (
    board_on_chip(
        Colorlight_5A75B_R70Platform,
        name="colorlight-5a75b",
        title="Colorlight 5A-75B V7.0",
        # The key has a resistor and a capacitor beside it: no faster than this without a trial.
        transports=(
            UARTTransport(baud=115_200),
            # The PHY of the connector beside the power's, a B50612D. It delays both clocks, as Broadcom's of
            # that family do by default (Linux, bcm54612e_config_init).
            EthernetTransport(tx_delay_ns=0.0, rx_delay_ns=2.0, phy_tx_delay_ns=2.0, phy_rx_delay_ns=2.0),
        ),
        programmer="colorlight",
        led=None,  # its output is the UART's
        price="low",
        notes="Needs 5 V, a JTAG cable at J27 to J34, and a serial adapter of 3.3 V at J19.",
    ),
)
