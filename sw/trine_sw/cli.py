"""The command ``trine``: a thin skin over the packages. Nothing imports it."""

import click

import trine_sw
from trine_sw import cli_demo, cli_hardware, cli_model
from trine_sw.errors import TrineError

__all__ = ["cli", "main"]


class _Commands(click.Group):
    """Shows an error that is the user's to fix as one message, without a traceback; exit status 1."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except TrineError as error:
            raise click.ClickException(str(error)) from None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(trine_sw.__version__)
def cli() -> None:
    """Ternary recurrent inference on open FPGAs: train, simulate bit-exactly, build and program."""


for _command in (*cli_model.COMMANDS, *cli_hardware.COMMANDS, *cli_demo.COMMANDS):
    cli.add_command(_command)


def main() -> None:
    """Entry point of the command."""
    cli(prog_name="trine")
