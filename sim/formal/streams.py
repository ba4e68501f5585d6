"""The contract of a stream: what is offered stays, and stays the same, until it is taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from amaranth.hdl import Assert, Assume, Module, Signal, Value
from amaranth.lib import stream, wiring

from sim.formal.prove import Property

__all__ = ["StreamContract", "assume_steady", "was"]

#: Says that an offer made in the cycle before need not stand in this one.
Withdrawal = Callable[[Module, Any], Value]


def was(m: Module, value: Any) -> Signal:
    """The value one cycle before; 0 before the first."""
    value = Value.cast(value)
    before = Signal(value.shape())
    m.d.sync += before.eq(value)
    return before


def assume_steady(m: Module, value: Any, *, when: Any = 1) -> None:
    """``value`` is what it was in the cycle before, if ``when``; in the first cycle it may be anything."""
    begun = Signal()
    m.d.sync += begun.eq(1)
    m.d.comb += Assume(~(begun & when) | (Value.cast(value) == was(m, value)))


class StreamContract(Property):
    """Every stream out of ``component`` is held, if every stream into it is.

    Parameters
    ----------
    component : under proof
    withdrawn : of a stream's name, when its offer need not be held
    payload : of a stream's name, what of its payload must be held, where that is not all
    environment : adds what the component's neighbours promise
    """

    def __init__(
        self,
        component: wiring.Component,
        *,
        withdrawn: Mapping[str, Withdrawal] | None = None,
        payload: Mapping[str, Callable[[Any], Value]] | None = None,
        environment: Callable[[Module, Any], None] = lambda m, component: None,
    ) -> None:
        super().__init__(component)
        self._withdrawn, self._payload, self._environment = withdrawn or {}, payload or {}, environment

    def state(self, m: Module) -> None:
        (component,) = self.components
        self._environment(m, component)
        outputs = 0
        for name, member in component.signature.members.items():
            if member.is_port or not isinstance(member.signature, stream.Signature):
                continue
            port = getattr(component, name)
            payload = Value.cast(self._payload.get(name, Value.cast)(port.payload))
            waited, offered = was(m, port.valid & ~port.ready), was(m, payload)
            free = Value.cast(self._withdrawn.get(name, lambda m, component: 0)(m, component))
            held = ~waited | free | (port.valid & (payload == offered))
            m.d.comb += Assert(held, name) if member.flow is wiring.Out else Assume(held)
            outputs += member.flow is wiring.Out
        assert outputs, "the component has no stream out of it"
