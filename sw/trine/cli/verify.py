"""The command that checks what a build loads into its chip: verify."""

import shlex
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console

from trine.cli.model import json_option, print_json, print_pairs
from trine.cli.outputs import OutputFolder
from trine_sw.support.atomic_file import check_folder
from trine_sw.support.file_lock import exclusive

__all__ = ["COMMANDS"]


@click.command()
@click.argument("folder", metavar="BUILD_FOLDER", type=click.Path(path_type=Path))
@click.option(
    "--tokens",
    default=400,
    show_default=True,
    help="Tokens to apply at least; the frames before them apply more.",
)
@click.option(
    "--seed", default=1, show_default=True, help="Of the tokens, and of noise in memories at the start."
)
@click.option("--results", type=OutputFolder(), help="Folder for a copy of the report.")
@json_option
def verify(folder: Path, tokens: int, seed: int, results: Path | None, as_json: bool) -> None:
    """Simulate what trine build made, driven at the board's pins, against the board's model.

    The netlist is that of the packed bitstream (iCE40) or of the routed design (ECP5). Every byte that comes
    from the board must be the one that the model of the board gives.
    """
    from trine_boards import BOARDS
    from trine_boards.build.record import BuildRecord
    from trine_boards.verify.verification import verify_build, write_verification

    command = shlex.join(["trine", "verify", str(folder), "--tokens", str(tokens), "--seed", str(seed)])
    BuildRecord.load(folder)  # before anything is made in a folder that is no build's
    check_folder(folder)
    console = Console(stderr=True)
    with exclusive(folder / ".lock", f"the folder {folder}"), console.status("reading the build") as status:
        done = verify_build(folder, tokens=tokens, seed=seed, command=command, progress=status.update)
    for where in filter(None, (folder, results)):
        write_verification(done, BOARDS[done.board].title, where)
    facts = asdict(done)
    if as_json:
        print_json(facts)
    else:
        print_pairs(facts)


COMMANDS = (verify,)
