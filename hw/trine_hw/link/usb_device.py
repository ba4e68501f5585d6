"""USB device of class CDC-ACM, a serial port to its host, made of LUNA's parts."""

from typing import Any

from amaranth.hdl import Elaboratable, Module, ResetInserter
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from luna.gateware.interface.utmi import UTMIInterface
from luna.gateware.usb.devices.acm import ACMRequestHandlers, USBSerialDevice
from luna.gateware.usb.usb2.device import USBDevice
from luna.gateware.usb.usb2.endpoints.stream import USBStreamInEndpoint, USBStreamOutEndpoint
from luna.gateware.usb.usb2.request import StallOnlyRequestHandler
from usb_protocol.types import USBRequestType

__all__ = ["SerialDevice"]

_FULL_SPEED_BYTES, _HIGH_SPEED_BYTES = 64, 512
#: A ULPI PHY's side of the bus, with fields as LUNA takes them. It has no reset: of a bus with one LUNA 0.2.3
#: waits for the PHY with the commands, and not with the reset sequencer. Where that learns of the supply
#: meanwhile, a chirp and the write of a register begin in one cycle, and both wait for ever.
_ULPI = wiring.Signature(
    {
        "data": In(wiring.Signature({"i": In(8), "o": Out(8), "oe": Out(1)})),
        "dir": In(wiring.Signature({"i": In(1)})),
        "nxt": In(wiring.Signature({"i": In(1)})),
        "stp": In(wiring.Signature({"o": Out(1)})),
    }
)


class SerialDevice(Elaboratable):
    """A CDC-ACM device in the clock domain ``usb``: of full speed at 12 MHz, or of high speed at 60 MHz.

    A reset of the bus also resets the endpoints, and with them their data toggles: a host that is plugged in
    begins with DATA0.

    Members
    -------
    bus : the UTMI interface of a PHY of full speed; of high speed the ULPI interface without its clock, whose
        ``data``, ``dir``, ``nxt`` and ``stp`` have the fields ``i``, ``o`` and ``oe`` of pins. ``usb`` is
        reset until the PHY takes commands
    rx, tx : LUNA's streams of bytes from and to the host; ``tx.last`` ends a packet

    Parameters
    ----------
    vendor, product : its numbers
    name, serial : what it says of itself
    high_speed : whether it is of high speed, by a ULPI PHY. On a host of full speed its packets are too long
    """

    def __init__(
        self, vendor: int, product: int, name: str, serial: str, *, high_speed: bool = False
    ) -> None:
        self.bus: Any = _ULPI.create(path=("ulpi",)) if high_speed else UTMIInterface()
        self._packet_bytes = _HIGH_SPEED_BYTES if high_speed else _FULL_SPEED_BYTES
        self._serial = USBSerialDevice(
            bus=self.bus,
            idVendor=vendor,
            idProduct=product,
            manufacturer_string="Trine",
            product_string=name,
            serial_number=serial,
            max_packet_size=self._packet_bytes,
        )
        self.rx, self.tx = self._serial.rx, self._serial.tx

    def elaborate(self, platform: object) -> Module:
        m = Module()
        serial = self._serial
        m.submodules.usb = usb = USBDevice(bus=self.bus, handle_clocking=False)
        control = usb.add_standard_control_endpoint(serial.create_descriptors())
        control.add_request_handler(ACMRequestHandlers())
        control.add_request_handler(StallOnlyRequestHandler(_foreign))
        status = USBStreamInEndpoint(
            endpoint_number=serial._STATUS_ENDPOINT_NUMBER, max_packet_size=_FULL_SPEED_BYTES
        )  # which never sends
        numbers = {"endpoint_number": serial._DATA_ENDPOINT_NUMBER, "max_packet_size": self._packet_bytes}
        rx, tx = USBStreamOutEndpoint(**numbers), USBStreamInEndpoint(**numbers)
        for endpoint in (status, rx, tx):
            usb.add_endpoint(ResetInserter({"usb": usb.reset_detected})(endpoint))
        m.d.comb += [
            tx.stream.stream_eq(serial.tx),
            serial.rx.stream_eq(rx.stream),
            usb.connect.eq(1),
        ]
        return m


def _foreign(setup: Any) -> Any:
    """Requests that are neither standard nor of the class."""
    return (setup.type == USBRequestType.VENDOR) | (setup.type == USBRequestType.RESERVED)
