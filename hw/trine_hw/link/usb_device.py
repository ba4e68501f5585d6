"""USB device of class CDC-ACM, a serial port to its host, made of LUNA's parts."""

from typing import Any

from amaranth.hdl import Elaboratable, Module, ResetInserter
from luna.gateware.interface.utmi import UTMIInterface
from luna.gateware.usb.devices.acm import ACMRequestHandlers, USBSerialDevice
from luna.gateware.usb.usb2.device import USBDevice
from luna.gateware.usb.usb2.endpoints.stream import USBStreamInEndpoint, USBStreamOutEndpoint
from luna.gateware.usb.usb2.request import StallOnlyRequestHandler
from usb_protocol.types import USBRequestType

__all__ = ["SerialDevice"]

_PACKET_BYTES = 64


class SerialDevice(Elaboratable):
    """A CDC-ACM device of full speed in the clock domain ``usb``, 12 MHz.

    A reset of the bus also resets the endpoints, and with them their data toggles: a host that is plugged in
    begins with DATA0.

    Members
    -------
    bus : the UTMI interface of a PHY
    rx, tx : LUNA's streams of bytes from and to the host; ``tx.last`` ends a packet

    Parameters
    ----------
    vendor, product : its numbers
    name, serial : what it says of itself
    """

    def __init__(self, vendor: int, product: int, name: str, serial: str) -> None:
        self.bus = UTMIInterface()
        self._serial = USBSerialDevice(
            bus=self.bus,
            idVendor=vendor,
            idProduct=product,
            manufacturer_string="Trine",
            product_string=name,
            serial_number=serial,
            max_packet_size=_PACKET_BYTES,
        )
        self.rx, self.tx = self._serial.rx, self._serial.tx

    def elaborate(self, platform: object) -> Module:
        m = Module()
        serial = self._serial
        m.submodules.usb = usb = USBDevice(bus=self.bus)
        control = usb.add_standard_control_endpoint(serial.create_descriptors())
        control.add_request_handler(ACMRequestHandlers())
        control.add_request_handler(StallOnlyRequestHandler(_foreign))
        status = USBStreamInEndpoint(
            endpoint_number=serial._STATUS_ENDPOINT_NUMBER, max_packet_size=_PACKET_BYTES
        )
        numbers = {"endpoint_number": serial._DATA_ENDPOINT_NUMBER, "max_packet_size": _PACKET_BYTES}
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
