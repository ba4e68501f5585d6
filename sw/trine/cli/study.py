"""Commands about what training gives: study, report, speed."""

from pathlib import Path

import click
from rich.console import Console

from trine.cli.model import device_option, json_option, print_json, print_pairs, threads_option
from trine.cli.side_by_side import as_cluster, cluster_option, processes_option
from trine_sw.support.atomic_file import check_writable
from trine_sw.support.checks import integer
from trine_sw.support.installing import needed

__all__ = ["COMMANDS"]

_RESULTS = Path("docs/results/hitnet")
#: Steps that take hours.
_MOST_STEPS = 1_000_000


@click.command()
@click.argument("name")
@click.option("--row", help="Only this row.")
@click.option("--resume", is_flag=True, help="Go on from the checkpoint of an interrupted row.")
@click.option("--epochs", type=int, help="Passes over the text.  [default: the study's]")
@click.option("--words", type=int, help="10000, or 2000, to which it is cut.  [default: the study's]")
@threads_option("CPU threads.")
@device_option
@processes_option("Models that are trained side by side.")
@cluster_option
@click.option("--list", "only_list", is_flag=True, help="Show the rows, and train nothing.")
def study(
    name: str,
    row: str | None,
    resume: bool,
    epochs: int | None,
    words: int | None,
    threads: int,
    device: str | None,
    processes: int | None,
    address: str | None,
    only_list: bool,
) -> None:
    """Train the rows of study NAME that are not recorded yet; `trine report hitnet` shows them.

    Studies: ladder, quantisers, slope, activity, front, states-slope, states.
    """
    with needed("torch", "train", "a study"):
        from trine_sw.studies.catalogue import study as study_of
        from trine_sw.studies.run import record_path, run_study
    cluster = as_cluster(processes, address)
    chosen = study_of(name)
    if only_list:
        for entry in chosen.at(words, epochs):
            there = "recorded" if record_path(_RESULTS, name, entry).exists() else "not run"
            click.echo(f"{entry.name:24} {there:10} {entry.what}")
        return
    console = Console()

    def tick(step: str, what: str, seconds: float) -> None:
        if what in ("restarted", "done") and not cluster.in_process(2):
            said = "its worker was lost, and it starts again" if what == "restarted" else "trained"
            console.print(f"{step}: {said}", highlight=False)

    run_study(
        chosen,
        row=row,
        words=words,
        epochs=epochs,
        resume=resume,
        threads=threads,
        device=device,
        cluster=cluster,
        results=_RESULTS,
        console=console,
        tick=tick,
    )


@click.command()
@click.argument("name", type=click.Choice(["hitnet"]))
def report(name: str) -> None:
    """Render what is recorded: tables as docs/results/hitnet.md, figures as SVG beside the records."""
    with needed("torch", "train", "the report"):
        from trine_sw.studies.report import write_report
    for path in write_report(_RESULTS):
        click.echo(str(path))


@click.command()
@click.argument("recipe")
@click.option("--steps", default=20, show_default=True, help="Steps of each to time, in turn.")
@threads_option("CPU threads.")
@device_option
@click.option("--record", is_flag=True, help="Keep the figures for the report.")
@json_option
def speed(recipe: str, steps: int, threads: int, device: str | None, record: bool, as_json: bool) -> None:
    """Time a training step of RECIPE's ternary model beside that of its float baseline."""
    from dataclasses import asdict

    with needed("torch", "train", "timing a training step"):
        from trine_sw.training.loop.speed import step_times, step_times_path, write_step_times
        from trine_sw.training.recipes import language_recipe as recipe_of
    integer(steps, "--steps", 1, _MOST_STEPS)
    chosen = recipe_of(recipe)
    for kind in ("cpu", "cuda") if record else ():
        check_writable(step_times_path(_RESULTS, chosen.name, kind))
    times = step_times(chosen, steps, threads, device)
    if record:
        write_step_times(times, _RESULTS)
    (print_json if as_json else print_pairs)(asdict(times))


COMMANDS = (study, report, speed)
