"""The command that writes a client of a board in another language."""

from pathlib import Path

import click

from trine.cli.model import json_option, model_argument, print_json, print_pairs
from trine.cli.outputs import OutputFolder
from trine.cli.placement import placement_options
from trine_sw.support.errors import TrineError

__all__ = ["COMMANDS"]


@click.command()
@model_argument
@click.option("--lang", type=click.Choice(["c"]), default="c", show_default=True, help="Language: C99.")
@click.option(
    "-o", "--output", type=OutputFolder(), required=True, help="Folder of the header and the source."
)
@placement_options
@click.option(
    "--prefix", default="trine", show_default=True, help="Of the files' names and of all identifiers."
)
@click.option(
    "--cc",
    metavar="COMMAND",
    help="Compiler for the size that is shown, such as 'arm-none-eabi-gcc -mthumb'.  [default: gcc]",
)
@json_option
def client(
    model_path: Path,
    lang: str,
    output: Path,
    embedding: str | None,
    head: str | None,
    prefix: str,
    cc: str | None,
    as_json: bool,
) -> None:
    """Write a client of a board with MODEL, for a microcontroller: a header and a source in C99."""
    from trine_sw.client import c_client
    from trine_sw.client.c_measure import object_size
    from trine_sw.model import Model

    model = Model.load(model_path)
    made = c_client(
        model,
        title=model_path.name,
        prefix=prefix,
        embedding=embedding,
        head=head,
    )
    measured = object_size(made, cc or "gcc")
    if cc and measured is None:
        raise TrineError(f"there is no compiler {cc!r} with its program size: install it, or leave --cc out")
    written = made.write(output)
    facts = {
        "wrote": [str(path) for path in written],
        "state_bytes": made.state_bytes,
        "table_bytes": made.table_bytes,
    }
    if measured:
        facts |= {
            "compiled_with": measured.command,
            "compiled_flash_bytes": measured.flash_bytes,
            "compiled_state_bytes": measured.state_bytes,
        }
    if as_json:
        print_json(facts)
    else:
        print_pairs(facts | {"wrote": ", ".join(facts["wrote"])})


COMMANDS = (client,)
