"""Options that say where jobs run: --processes, --cluster, --steps."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from trine.cli.outputs import OutputFolder
from trine_sw.cluster.job import Cluster, processors

__all__ = ["as_cluster", "cluster_option", "processes_option", "steps_option"]

cluster_option = click.option(
    "--cluster",
    "address",
    metavar="URL",
    help="Dask scheduler whose workers do it, tcp://HOST:PORT or its scheduler file.  [default: processes of "
    "this machine]",
)
steps_option = click.option(
    "--steps",
    type=OutputFolder(),
    help="Folder of finished steps by their content, which builds and machines share.",
)


def processes_option(text: str, all_of_them: bool = False) -> Callable[[Any], Any]:
    """The option --processes; by default 1, or as many as there are processors."""
    default = "the processors" if all_of_them else "1"
    return click.option("--processes", type=int, help=f"{text}  [default: {default}]")


def as_cluster(
    processes: int | None, address: str | None, steps: Path | None = None, all_of_them: bool = False
) -> Cluster:
    """The cluster that the options ask for. Raises :class:`TrineError` for a count below 1."""
    count = (processors() if all_of_them else 1) if processes is None else processes
    return Cluster(count, address, steps)
