"""Catalogue of studies of HitNet's claims: lists of models, each of which changes one thing."""

from dataclasses import replace
from itertools import product
from typing import get_args

from trine_sw.studies.states import slope_rows, state_rows
from trine_sw.studies.study import Row, Study
from trine_sw.support.errors import TrineError
from trine_sw.training.nn.layers import CellOptions
from trine_sw.training.nn.soft_cell import Quantiser, Quantisers
from trine_sw.training.recipes import Recipe

__all__ = ["STUDIES", "study"]


def _ladder(plain: Recipe) -> list[Row]:
    weights = Quantisers(weights="threshold")
    rounded = replace(weights, activations="bernoulli", soft_gates=True)
    keep = replace(plain, options=CellOptions())
    config = replace(plain.config, cell_shift=2, output_shift=1, head_levels=(0, 1, 2, 3))
    levels = replace(keep, config=config)
    norm = replace(levels, options=CellOptions(scale="norm"))
    harden = replace(norm, options=CellOptions(scale="norm", harden=(0.08, 0.4)))
    schedule = replace(plain.schedule, learning_rate=3e-3, dropout=0.1, head_dropout=0.3)
    head = replace(harden, unigram=True, schedule=replace(schedule, head_rate=0.4, head_decay=0.8))
    sparse = replace(head, embedding_factor=1.5, activity_cost=0.35)
    whole = replace(sparse, distil=0.8, teacher_hidden=1000)
    return [
        Row(name="float", what="float LSTM", recipe=plain, role="float"),
        Row(name="weights", what="ternary weights and embedding", recipe=replace(plain, quantisers=weights),
            role="float"),
        Row(name="activations", what="+ ternary h and x", recipe=replace(plain, quantisers=rounded),
            role="float"),
        Row(name="integers", what="+ ternary gates and integer cell, f of two states: the plain cell",
            recipe=plain, role="ternary"),
        Row(name="keep", what="+ a forget gate of three states", recipe=keep, role="ternary"),
        Row(name="levels", what="+ a cell of finer steps, whose levels the head sees", recipe=levels,
            role="ternary"),
        Row(name="norm", what="+ weight normalisation of the ternary rows", recipe=norm, role="ternary"),
        Row(name="harden", what="+ from a soft cell to the hard one", recipe=harden, role="ternary"),
        Row(name="head", what="+ the text's own bias, decay and more dropout for the head, less for x; "
            "half as fast again", recipe=head, role="ternary"),
        Row(name="sparse", what="+ fewer active columns: a sparser x, a cost of activity", recipe=sparse,
            role="ternary"),
        Row(name="whole", what="+ four fifths of the loss from a float LSTM of 1,000 units", recipe=whole,
            role="ternary"),
        Row(name="locked", what="normalised, dropout drawn once a window",
            recipe=replace(norm, schedule=replace(norm.schedule, locked=True)), role="ternary"),
        Row(name="slope", what="normalised, λ annealed from 1/2 to 1",
            recipe=replace(norm, options=CellOptions(scale="norm", slope_first=0.5)), role="ternary"),
        Row(name="warm", what="normalised, from the float LSTM's weights",
            recipe=replace(norm, warm_start=True), role="ternary"),
        Row(name="distil", what="normalised, half of the loss from the float one",
            recipe=replace(norm, distil=0.5), role="ternary"),
        Row(name="teacher", what="normalised, half of the loss from a float LSTM of 650 units",
            recipe=replace(norm, distil=0.5, teacher_hidden=650), role="ternary"),
    ]  # fmt: skip


def _quantisers(plain: Recipe) -> list[Row]:
    roles: tuple[Quantiser, ...] = get_args(Quantiser)
    return [
        Row(
            name=f"{weights}-{activations}",
            what=f"weights {weights}, activations {activations}",
            recipe=replace(plain, quantisers=Quantisers(weights=weights, activations=activations)),
            role="float",
        )
        for weights, activations in product(roles, roles)
    ]


SLOPES = (0.5, 1.0, 2.0, 4.0)


def _slope(plain: Recipe) -> list[Row]:
    soft = [
        Row(
            name=f"float-{slope:g}",
            what=f"float, λ = {slope:g}",
            recipe=replace(plain, quantisers=Quantisers(slope=slope)),
            role="float",
        )
        for slope in SLOPES
    ]
    hard = [
        Row(
            name=f"ternary-{slope:g}",
            what=f"ternary, λ = {slope:g}",
            recipe=replace(plain, options=CellOptions(three_state_forget=False, slope=slope)),
            role="ternary",
        )
        for slope in SLOPES
    ]
    return soft + hard


def _activity(plain: Recipe) -> list[Row]:
    config = replace(plain.config, cell_shift=2, output_shift=1, head_levels=(0, 1, 2, 3))
    norm = replace(plain, config=config, options=CellOptions(scale="norm"))
    return [
        Row(
            name=f"{cost:g}",
            what=f"cost of activity {cost:g}",
            recipe=replace(norm, activity_cost=cost),
            role="ternary",
        )
        for cost in (0.0, 0.1, 0.3, 1.0, 3.0)
    ]


def _front(plain: Recipe) -> list[Row]:
    config = replace(plain.config, cell_shift=2, output_shift=1, head_levels=tuple(range(8)))
    words = config.vocab_size
    schedule = replace(
        plain.schedule,
        learning_rate=1e-3,
        dropout=0.05,
        head_dropout=0.15,
        head_decay=0.8,
        sampled=2_560 if words > 2_560 else 0,
        stratified=1_000 if words > 2_560 else 0,
    )
    begun = replace(
        plain,
        config=config,
        options=CellOptions(scale="norm"),
        schedule=schedule,
        embedding_factor=1.5,
        unigram=True,
        needs_start=True,
    )
    return [
        Row(
            name=f"{cost:g}",
            what=f"cost of activity {cost:g}",
            recipe=replace(begun, activity_cost=cost),
            role="ternary",
            start="models/ptb-lstm-300-taught.trine",
        )
        for cost in (0.0, 0.3, 0.6, 1.2, 2.5, 5.0, 10.0)
    ]


STUDIES = {
    entry.name: entry
    for entry in (
        Study(
            name="ladder",
            title="What each step costs and brings",
            about="From the float LSTM to the cell that the engine runs, one step a row. A row "
            'that begins with + adds to the one above it; one that begins with "normalised" changes '
            "the row of weight normalisation.",
            words=2_000,
            epochs=4,
            rows=_ladder,
        ),
        Study(
            name="quantisers",
            title="Which quantiser, where",
            about="The paper's soft cell with each quantiser on the weights and on the activations (x, gates "
            "and h), which all leave three values.",
            words=2_000,
            epochs=4,
            rows=_quantisers,
        ),
        Study(
            name="slope",
            title="The slope λ",
            about="Gates σ(λz) and tanh(λz), of the soft cell in floats and of the plain ternary cell.",
            words=2_000,
            epochs=4,
            rows=_slope,
        ),
        Study(
            name="activity",
            title="Perplexity against speed",
            about="A cost on the share of h that is active makes training spend columns only where they pay. "
            "Cycles are the timing model's, on an engine of 1,200 lanes and 3 banks, embedding and head on "
            "the host, over the first 2,000 tokens of the test text.",
            words=2_000,
            epochs=4,
            rows=_activity,
        ),
        Study(
            name="front",
            title="Perplexity against speed, all words",
            about="The model file of `ptb-lstm-300-taught`, trained on with another cost of activity and "
            "without a teacher. Cycles as above.",
            words=10_000,
            epochs=1,
            rows=_front,
        ),
        Study(
            name="states-slope",
            title="Which λ for how many states",
            about="W of 2, 3 or 5 states and activations (x, h) of 2, 3, 5 or 7, each with several λ of its "
            "gates. The λ with the lowest validation is the one of the next study.",
            words=10_000,
            epochs=1,
            rows=slope_rows,
        ),
        Study(
            name="states",
            title="How many states",
            about="The same at the best λ of each. Where W and activations do not both have three states, "
            "figures are those of the PyTorch module in evaluation, computed in integers: the engine runs "
            "three. Cycles are those of an engine that takes a column a cycle whatever its activation.",
            words=10_000,
            epochs=4,
            rows=state_rows,
        ),
    )
}


def study(name: str) -> Study:
    """The study of that name; :class:`TrineError` lists the names where there is none."""
    if name not in STUDIES:
        raise TrineError(f"{name!r} is no study; there are {', '.join(STUDIES)}")
    return STUDIES[name]
