"""ULX3S with an ECP5-85F: 25 MHz oscillator, USB UART."""

from amaranth_boards.ulx3s import ULX3S_85F_Platform

from trine_boards.board_spec import BoardSpec, HeldPin
from trine_boards.clock.ecp5 import ECP5ClockDomain
from trine_boards.transports.spi import SPITransport
from trine_boards.transports.uart import UARTTransport
from trine_boards.transports.usb import USBTransport
from trine_sw.link.board_design import DEFAULT_BAUD

__all__ = ["ULX3S"]

ULX3S = BoardSpec(
    name="ulx3s",
    title="Radiona ULX3S-85F",
    chip="LFE5U-85F-6BG381C",
    family="ecp5",
    lut4=83_640,
    ff=83_640,
    block_ram=208,
    block_ram_bits=36,
    block_ram_depth=512,
    dsp=156,
    block_ram_kind="ecp5",
    clock_mhz=75,
    transports=(
        UARTTransport(baud=DEFAULT_BAUD),
        # On the header J1, beside each other; the pins from gp11 on are shared with ESP32 and ADC.
        SPITransport(
            cs="0+",
            clk="0-",
            copi="1+",
            cipo="1-",
            ready="2+",
            connector=("gpio", 0),
            attrs=(("IO_TYPE", "LVCMOS33"),),
            pull_up=("PULLMODE", "UP"),
        ),
        USBTransport("Trine ULX3S"),  # at US2
    ),
    programmer="ulx3s",
    platform=ULX3S_85F_Platform,
    clock_domain=ECP5ClockDomain,
    usb=(0x0403, 0x6015),  # FT231X
    # wifi_gpio0, pin L2. An ECP5 pulls down what a design leaves unused, and the ESP32, with the firmware
    # that boards are sold with, takes a low level for a wish to have its own bitstream loaded.
    held=(HeldPin("esp32", 1, subsignal="gpio0"),),
)
