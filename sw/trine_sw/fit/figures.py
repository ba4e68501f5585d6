"""Cycles and costs of a model's engines, each of them computed once."""

from __future__ import annotations

from collections.abc import Hashable

from trine_sw.engine import EngineConfig
from trine_sw.engine.memory_layout import MemoryLayout, place
from trine_sw.engine.timing import vector_cycles
from trine_sw.fit.cost import Chip, Cost, cost, costs_alike
from trine_sw.fit.sample import ACTIVITY, Sample, sample_text
from trine_sw.link.protocol import LinkConfig
from trine_sw.link.records import link_for
from trine_sw.model import Model

__all__ = ["Figures"]


class Figures:
    """What engines of ``model`` take and how fast they are, kept for the next time that they are asked for.

    Parameters
    ----------
    model : the model
    sample : its inputs and states, on which cycles are counted; by default :func:`sample_text`, made when
        cycles are first asked for
    activity : of that
    """

    def __init__(self, model: Model, sample: Sample | None = None, *, activity: float = ACTIVITY) -> None:
        self.model, self._sample, self._activity = model, sample, activity
        self._cycles: dict[EngineConfig, float] = {}
        self._taken: dict[Hashable, Cost] = {}
        self._links: dict[Hashable, LinkConfig] = {}
        self._layout: tuple[EngineConfig, MemoryLayout] | None = None

    @property
    def sample(self) -> Sample:
        """The inputs and states on which cycles are counted."""
        if self._sample is None:
            self._sample = sample_text(self.model, activity=self._activity)
        return self._sample

    def cycles(self, engine: EngineConfig) -> float:
        """Mean of all tokens but the first, which waits for the engine, or of that one alone."""
        if engine not in self._cycles:
            text = self.sample
            head = text.heads if engine.head == "board" else False
            every = vector_cycles(self.model, engine, text.x, text.h, head=head, starts=text.starts).cycles
            self._cycles[engine] = float(every[1 if len(every) > 1 else 0 :].mean())
        return self._cycles[engine]

    def cost(self, engine: EngineConfig, chip: Chip, link: LinkConfig | None = None) -> Cost:
        """What ``engine`` takes of ``chip``, with a link of these buffers or, by default, as
        :func:`trine_sw.link.records.link_for` makes them.

        Raises
        ------
        TrineError
            If the link's frames cannot hold all that a token may be asked for.
        """
        key = engine, costs_alike(chip), chip.link if link is None else link, link is None
        if key not in self._taken:
            link = link or self.link(self.model, engine, chip.link)
            self._taken[key] = cost(self.model, engine, chip, link, self._placed(engine))
        return self._taken[key]

    def link(self, model: Model, engine: EngineConfig, least: LinkConfig) -> LinkConfig:
        """:func:`trine_sw.link.records.link_for`, which asks of an engine where embedding and head are."""
        key = engine.embedding, engine.head, least
        if key not in self._links:
            self._links[key] = link_for(model, engine, least)
        return self._links[key]

    def _placed(self, engine: EngineConfig) -> MemoryLayout:
        """The layout, of which only the last one is kept: it is as large as all weights."""
        if self._layout is None or self._layout[0] != engine:
            self._layout = engine, place(self.model, engine)
        return self._layout[1]
