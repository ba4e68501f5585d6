"""An ECP5 block RAM in a netlist: the words of its parameters, and what its read ports show of them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["BlockRAM", "Net"]

#: A net's number, or "0", "1", "x" for a constant.
Net = int | str


@dataclass(frozen=True)
class BlockRAM:
    """A ``DP16KD`` or ``PDPW16KD`` of a netlist."""

    name: str
    type: str
    parameters: dict[str, str]
    connections: dict[str, list[Net]]

    @property
    def words(self) -> list[int]:
        """The 1,024 words of 18 bits that it is initialised with.

        ``INITVAL_xx`` has 16 of them, in slots of 20 bits (Lattice FPGA-TN-02204; Yosys' brams_map_16kd.v).
        """
        values = [int(self.parameters.get(f"INITVAL_{index:02X}", "0"), 2) for index in range(64)]
        return [value >> 20 * slot & 0x3FFFF for value in values for slot in range(16)]

    def outputs(self, address: list[Net], depth: int) -> dict[Net, list[int]]:
        """For each net that a read port drives, its values at the first ``depth`` values of ``address``."""
        if self.type == "PDPW16KD":
            # The halves change places on the way out.
            width = int(self.parameters["DATA_WIDTH_R"], 2)
            exchanged = 18 if width == 36 else 0
            ports = [(width, "ADR", [f"DO{(bit + exchanged) % 36}" for bit in range(width)])]
        elif int(self.parameters["DATA_WIDTH_A"], 2) == 36:
            width = int(self.parameters["DATA_WIDTH_B"], 2)
            wide = [f"DOA{n}" for n in range(18)] + [f"DOB{n}" for n in range(18)]
            ports = [(width, "ADB", wide if width == 36 else [f"DOB{n}" for n in range(width)])]
        else:
            ports = [
                (width, f"AD{side}", [f"DO{side}{n}" for n in range(width)])
                for side in "AB"
                for width in [int(self.parameters[f"DATA_WIDTH_{side}"], 2)]
            ]
        found: dict[Net, list[int]] = {}
        words = self.words
        for width, pins, data in ports:
            nets = {pin: self.connections[pin][0] for pin in data if self.connections.get(pin)}
            if not nets:
                continue
            starts = [self._address(pins, address, value) for value in range(depth)]
            for bit, pin in enumerate(data):
                if pin in nets:
                    found[nets[pin]] = [bit_of(words, start, width, bit) for start in starts]
        return found

    def _address(self, pins: str, address: list[Net], value: int) -> int:
        """What the address pins are when ``address`` has a value; other pins must be constants."""
        total = 0
        for pin in range(14):
            net = (self.connections.get(f"{pins}{pin}") or ["0"])[0]
            if net in address:
                total |= (value >> address.index(net) & 1) << pin
            elif net == "1":
                total |= 1 << pin
            elif isinstance(net, int):
                raise ValueError(f"{pins}{pin} of {self.name} is not a bit of the address")
        return total


def bit_of(words: list[int], address: int, width: int, bit: int) -> int:
    """A bit of what a read port of some width sees at 14 address pins.

    The pins count bits; ports of 4 bits and less skip every ninth one.
    """
    if width == 36:
        return words[(address >> 5) * 2 + bit // 18] >> bit % 18 & 1
    offset = {18: 0, 9: 9 * (address >> 3 & 1)}.get(width, 9 * (address >> 3 & 1) + (address & 7 & -width))
    return words[address >> 4] >> offset + bit & 1
