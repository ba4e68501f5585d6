"""Static timing from a file of delays, against every path of random designs, one by one."""

import random

import pytest

from trine_boards.build.routed_delays import register_paths, routed_mhz
from trine_sw.support.errors import TrineError


class Design:
    """Registers, tables and the wires between them, each with a delay, and the SDF that nextpnr writes."""

    def __init__(self, seed: int, *, slow: bool = False) -> None:
        draw = random.Random(seed)
        self.registers = {
            f"ff{n}": (draw.randint(0, 900 if slow else 300), draw.randint(150, 260), 35, 10)
            for n in range(8)
        }
        self.tables = {f"lut{n}": draw.randint(90, 520) for n in range(15)}
        self.without = set(draw.sample(list(self.tables), 4))
        self.most = max(delay for name, delay in self.tables.items() if name not in self.without)
        self.wires: list[tuple[str, str, str, int]] = []
        sources = [f"{name}/Q" for name in self.registers]
        for name in self.tables:
            for pin in ("I0", "I3"):
                self.wires.append((draw.choice(sources), name, pin, draw.randint(0, 1500)))
            sources.append(f"{name}/F")
        for name in self.registers:
            self.wires.append((draw.choice(sources), name, "D", draw.randint(0, 700)))

    def delay(self, table: str) -> int:
        return self.most if table in self.without else self.tables[table]

    def sdf(self, clock: str = "pll/CLKOUT") -> str:
        lines = ["(DELAYFILE", '  (CELL\n    (CELLTYPE "top")\n    (INSTANCE )', "    (DELAY (ABSOLUTE"]
        for start, cell, pin, ps in self.wires:
            lines.append(f"    (INTERCONNECT {start} {cell}/{pin} ({ps}:{ps}:{ps}) ({ps}:{ps}:{ps}))")
        for cell, (skew, *_) in self.registers.items():
            lines.append(
                f"    (INTERCONNECT {clock} {cell}/CLK ({skew}:{skew}:{skew}) ({skew}:{skew}:{skew}))"
            )
        lines.append("    ))\n  )")
        for cell, ps in self.tables.items():
            lines.append(f'  (CELL\n    (CELLTYPE "LUT4")\n    (INSTANCE {cell})')
            if cell not in self.without:
                lines += [f"    (IOPATH {pin} F ({ps}:{ps}:{ps}) ({ps}:{ps}:{ps}))" for pin in ("I0", "I3")]
            lines.append("  )")
        for cell, (_, out, setup, hold) in self.registers.items():
            lines.append(f'  (CELL\n    (CELLTYPE "DFF")\n    (INSTANCE {cell})')
            lines.append(f"    (IOPATH CLK Q ({out}:{out}:{out}) ({out}:{out}:{out}))")
            checks = f"({setup}:{setup}:{setup}) ({hold}:{hold}:{hold})"
            lines += [f"    (SETUPHOLD ({edge}edge D) (posedge CLK) {checks})" for edge in ("pos", "neg")]
            lines.append("  )")
        return "\n".join([*lines, ")", ""])

    def paths(self):
        """Of each path its first register, its delay in ps, and its last."""
        for cell, (_, out, *_) in self.registers.items():
            yield from self._from(cell, f"{cell}/Q", out)

    def _from(self, first, start, so_far):
        for source, cell, pin, ps in self.wires:
            if source != start:
                continue
            if pin == "D":
                yield first, so_far + ps, cell
            else:
                yield from self._from(first, f"{cell}/F", so_far + ps + self.delay(cell))


@pytest.mark.parametrize("seed", range(12))
def test_every_path_is_looked_at(seed, tmp_path):
    """Those through a table without delays too, which is how nextpnr's own analysis loses them."""
    design = Design(seed, slow=seed % 2 == 1)
    sdf = tmp_path / "top.sdf"
    sdf.write_text(design.sdf(), encoding="utf-8")
    period, slack = [], []
    for first, ps, last in design.paths():
        skew = design.registers[first][0] - design.registers[last][0]
        period.append(skew + ps + design.registers[last][2])
        slack.append(skew + ps - design.registers[last][3])
    found = register_paths(sdf)
    assert found.period_ns == pytest.approx(max(period) / 1e3)
    assert found.hold_ns == pytest.approx(min(slack) / 1e3)
    assert found.ends == len(design.registers)
    if found.hold_ns >= 0:
        assert routed_mhz(sdf) == pytest.approx(1e6 / max(period))
    else:
        with pytest.raises(TrineError, match=f"misses a hold time by {-found.hold_ns:.3f} ns .*--seeds"):
            routed_mhz(sdf)


def test_what_is_no_design_with_one_clock_is_an_error(tmp_path):
    sdf = tmp_path / "top.sdf"
    with pytest.raises(TrineError, match="cannot read .*; run trine build again"):
        register_paths(sdf)
    text = Design(1).sdf()
    loop = "(INTERCONNECT lut14/F lut0/I1 (1:1:1) (1:1:1))\n(INTERCONNECT lut0/F lut14/I1 (1:1:1) (1:1:1))"
    arcs = "".join(
        f'(CELL (CELLTYPE "LUT4")\n(INSTANCE {name})\n(IOPATH I1 F (1:1:1) (1:1:1)))\n'
        for name in ("lut0", "lut14")
    )
    started = "(INTERCONNECT ff0/Q lut0/I1 (1:1:1) (1:1:1))"
    for wrong, said in (
        ("(DELAYFILE)", "has 0 clocks and not one"),
        (text.replace("pll/CLKOUT ff3/CLK", "other/F ff3/CLK"), "has 2 clocks and not one"),
        (text.replace("/D (", "/E ("), "has no paths between registers"),
        (text + loop + started + arcs, "has a loop without a register"),
    ):
        sdf.write_text(wrong, encoding="utf-8")
        with pytest.raises(TrineError, match=said):
            register_paths(sdf)
