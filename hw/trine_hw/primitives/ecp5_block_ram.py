"""ECP5 block RAMs as read-only memories, instantiated for the output register that Yosys never infers.

Without that register a block RAM's clock-to-output time is 5.7 ns, with it 1 ns (nextpnr's database, speed
grade 6). Sources: Lattice FPGA-TN-02204 (ECP5 memory usage), netlists of Lattice's own generator, Yosys'
``lattice/brams_map_16kd.v`` and nextpnr's ``pack_ebr``.
"""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import ClockSignal, Const, Instance, Signal, Value

from trine_sw.engine.memories import FORMS

__all__ = ["halfwords", "initvals", "rom", "rom_512x36"]

#: Words of a block RAM, by the width of its ports.
_DEPTHS = {bits: words for words, bits in FORMS["ecp5"]}


def initvals(words: Sequence[int]) -> dict[str, int]:
    """The ``INITVAL_xx`` parameters of a block RAM that holds ``words`` from address 0 on.

    At most 1,024 words of 18 bits. A parameter of 320 bits has 16 of them, each in a slot of 20 bits whose
    upper two are unused.
    """
    if len(words) > 1024 or any(not 0 <= word < 1 << 18 for word in words):
        raise ValueError("a block RAM holds at most 1024 words of 18 bits")
    return {
        f"INITVAL_{index:02X}": sum(
            word << (20 * slot) for slot, word in enumerate(words[16 * index : 16 * index + 16])
        )
        for index in range(64)
    }


def halfwords(words: Sequence[int], width: int) -> list[int]:
    """The 18-bit words of a block RAM whose ports of ``width`` bits show ``words``.

    A word of 36 bits is two of them, the lower half first. One of 18 bits has two words of 9 bits; ports of
    4 bits and less leave out the ninth bit of each.

    >>> [f"{word:018b}" for word in halfwords([0b11, 0b01, 0b10, 0b00, 0b11], 2)]
    ['000000011000100111']
    """
    if any(not 0 <= word < 1 << width for word in words):
        raise ValueError(f"the words must have {width} bits")
    if width == 36:
        return [half for word in words for half in (word & 0x3FFFF, word >> 18)]
    if width == 18:
        return list(words)
    each = max(1, 8 // width)  # words in 9 bits
    ninths = [
        sum(word << (width * place) for place, word in enumerate(words[at : at + each]))
        for at in range(0, len(words), each)
    ]
    return [
        sum(part << (9 * place) for place, part in enumerate(ninths[at : at + 2]))
        for at in range(0, len(ninths), 2)
    ]


def rom_512x36(addr: Value, q: Signal, words: Sequence[int]) -> Instance:
    """A ROM of at most 512 words of 36 bits: ``q`` is the word that ``addr`` selected two cycles before.

    ``PDPW16KD`` exchanges the halves of a word on the way out: bit 0 of what is stored leaves at ``DO18``,
    bit 18 at ``DO0``. The address starts at ``ADR5``.
    """
    ports: dict[str, object] = {"CLKR": ClockSignal(), "CER": 1, "OCER": 1, "RST": 0}
    ports |= {f"CSR{n}": 0 for n in range(3)} | pins("ADR", 14, addr, first=5)
    # The write port: its clock runs, but nothing enables it.
    ports |= {"CLKW": ClockSignal(), "CEW": 0}
    ports |= {f"CSW{n}": 0 for n in range(3)} | {f"BE{n}": 0 for n in range(4)}
    ports |= {f"ADW{n}": 0 for n in range(9)} | {f"DI{n}": 0 for n in range(36)}
    return Instance(
        "PDPW16KD",
        p_DATA_WIDTH_W=36,
        p_DATA_WIDTH_R=36,
        p_REGMODE="OUTREG",
        p_RESETMODE="SYNC",
        p_ASYNC_RESET_RELEASE="SYNC",
        p_CSDECODE_W="0b000",
        p_CSDECODE_R="0b000",
        p_GSR="DISABLED",  # nothing but the clock touches the output register
        **{f"p_{name}": Const(value, 320) for name, value in initvals(halfwords(words, 36)).items()},
        **{f"i_{name}": value for name, value in ports.items()},
        **{f"o_DO{n}": q[(n + 18) % 36] for n in range(36)},
    )


def rom(ports: Sequence[tuple[Value, Signal]], words: Sequence[int], *, width: int = 18) -> Instance:
    """A ROM of words of 18, 9, 4, 2 or 1 bits, at most 1,024, 2,048 and so on, with one or two ports
    ``(addr, q)``.

    ``q`` is the word that ``addr`` selected two cycles before. Addresses count bits: the less of them a word
    has, the lower is the pin that the address starts at, ``ADA4`` with 18.
    """
    if width not in _DEPTHS or width > 18 or len(words) > _DEPTHS[width]:
        raise ValueError(f"a block RAM does not hold {len(words)} words of {width} bits")
    first = 14 - (_DEPTHS[width] - 1).bit_length()
    connections: dict[str, object] = {}
    outputs: dict[str, object] = {}
    for index, name in enumerate("AB"):
        used = index < len(ports)
        addr, q = ports[index] if used else (Const(0), None)
        connections |= {f"CLK{name}": ClockSignal(), f"CE{name}": int(used), f"OCE{name}": int(used)}
        connections |= {f"WE{name}": 0, f"RST{name}": 0} | {f"CS{name}{n}": 0 for n in range(3)}
        connections |= pins(f"AD{name}", 14, addr, first=first) | {f"DI{name}{n}": 0 for n in range(18)}
        if q is not None:
            outputs |= {f"DO{name}{n}": q[n] for n in range(width)}
    return Instance(
        "DP16KD",
        **{f"p_DATA_WIDTH_{name}": width for name in "AB"},
        **{f"p_REGMODE_{name}": "OUTREG" for name in "AB"},
        **{f"p_WRITEMODE_{name}": "NORMAL" for name in "AB"},
        **{f"p_CSDECODE_{name}": "0b000" for name in "AB"},
        p_RESETMODE="SYNC",
        p_ASYNC_RESET_RELEASE="SYNC",
        p_GSR="DISABLED",
        **{f"p_{name}": Const(value, 320) for name, value in initvals(halfwords(words, width)).items()},
        **{f"i_{name}": value for name, value in connections.items()},
        **{f"o_{name}": value for name, value in outputs.items()},
    )


def pins(name: str, count: int, value: Value, *, first: int) -> dict[str, object]:
    """The input pins ``name0`` to ``name{count - 1}``: ``value`` from pin ``first`` on, the others 0."""
    return {f"{name}{n}": value[n - first] if 0 <= n - first < len(value) else 0 for n in range(count)}
