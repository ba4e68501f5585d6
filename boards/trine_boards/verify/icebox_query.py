"""Query of the parts of an iCE40 configuration that ``icebox_vlog`` leaves out.

Run as a program, with that module's folder in PYTHONPATH: ``icebox_query.py CONFIGURATION PACKAGE``. Prints
JSON: the single-port RAMs in use with the wire of each pin, the pads of PLLs, and where each pin lies.
"""

import json
import sys


def main() -> None:
    import icebox  # type: ignore[import-not-found]  # of Debian's fpga-icestorm

    path, package = sys.argv[1:]
    chip = icebox.iceconfig()
    chip.read_file(path)
    rams = []
    for pins in icebox.spram_db.get(chip.device, {}).values():
        x, y, bit = pins["SPRAM_EN"]
        bits = next(entry[0] for entry in chip.tile_db(x, y) if entry[-1] == bit)
        if icebox.tileconfig(chip.tile(x, y)).match(bits):
            rams.append({pin: wire for pin, wire in pins.items() if pin != "SPRAM_EN"})
    pins = {f"{x} {y} {z}": pin for pin, x, y, z in chip.pinloc_db(package)}
    json.dump({"device": chip.device, "rams": rams, "pins": pins}, sys.stdout)


if __name__ == "__main__":
    main()
