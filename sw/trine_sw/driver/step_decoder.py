"""Decoding of the replies to STEP, whole frames at once."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trine_sw.driver.steps import StepBlock
from trine_sw.golden import Golden
from trine_sw.golden.largest import largest
from trine_sw.link.records import Codec
from trine_sw.link.step_records import Asking
from trine_sw.model.trits import unpack
from trine_sw.support.errors import TrineError

__all__ = ["StepDecoder"]


class StepDecoder:
    """Makes arrays of the records in replies.

    Parameters
    ----------
    codec : of the board
    levels : of the model's head inputs; empty where the model is unknown
    golden : of a model with a ternary head, for what the board's own head does not compute
    """

    def __init__(self, codec: Codec, levels: tuple[int, ...], golden: Golden | None) -> None:
        self._codec, self._levels, self._golden = codec, levels, golden

    def decode(
        self,
        payloads: list[bytes],
        counts: deque[int],
        asked: Asking,
        names: frozenset[str],
        top: int = 0,
    ) -> StepBlock:
        """The steps in replies: what the board was ``asked`` for, and what is made of it, the fields
        ``names`` and the ``top`` largest logits.

        ``counts`` has how many records are in each reply, which are taken from it. Raises :exc:`TrineError`
        for replies of another length, and for contents that no board of this model sends.
        """
        codec, form = self._codec, asked.form
        record, count = codec.record_bytes(*asked), 0
        for payload in payloads:
            if len(payload) != counts[0] * record:
                raise TrineError(
                    f"the board answered {counts[0]} tokens by {len(payload)} bytes, against its own info"
                )
            count += counts.popleft()
        if not count:
            return StepBlock(0)
        data = payloads[0] if len(payloads) == 1 else b"".join(payloads)
        rows = np.frombuffer(data, np.uint8).reshape(count, record)
        parts = {name: rows[:, part] for name, part in codec.layout(asked.want, form).items()}
        columns: dict[str, NDArray[Any]] = {}
        if (h := parts.get("h")) is not None:
            columns["h"] = unpack(h, codec.info.hidden, name="h")
        if (cycles := parts.get("cycles")) is not None:
            columns["cycles"] = np.ascontiguousarray(cycles).view("<u4")[:, 0].astype(np.int64)
        if (logits := parts.get("logits")) is not None:
            columns["logits"] = codec.unpack_logits(logits, form)
        if (choice := parts.get("choice")) is not None:
            columns["choice"] = codec.unpack_tokens(choice.tobytes())
        if (packed := parts.get("u")) is not None:
            u = codec.unpack_u(packed, self._levels)
            columns |= {"u": u, "h": np.sign(u)} if "h" in names else {"u": u}
            if not codec.info.head_on_board and (top or names & {"logits", "choice"}):
                assert self._golden is not None
                logits = self._golden.logits(u)
                columns |= {"logits": logits, "choice": logits.argmax(1)}
        found = {name: column for name, column in columns.items() if name in names}
        if top:
            end = rows[:, record - asked.top * codec.top_bytes :]
            pairs = codec.unpack_top(end) if asked.top else largest(columns["logits"], top)
            found |= dict(zip(("top_symbols", "top_logits"), pairs, strict=True))
        return StepBlock(count, **found)
