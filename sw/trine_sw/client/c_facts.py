"""What the templates of the C client are filled with: facts of the protocol and of a model."""

from __future__ import annotations

import zlib
from functools import cached_property
from typing import Any

import trine_sw
from trine_sw.client.c_errors import ERRORS
from trine_sw.client.c_layout import Member, client_members, slot_members
from trine_sw.client.c_sizes import ClientSizes
from trine_sw.client.c_tables import c_array, c_bytes, c_real, c_text, crc_table
from trine_sw.engine.default import default_engine
from trine_sw.engine.placement import Placement
from trine_sw.golden import sampler
from trine_sw.link import pacing, protocol
from trine_sw.link.board_design import DEFAULT_BAUD
from trine_sw.link.board_info import INFO_BYTES, info_offsets, level_values, u_bits
from trine_sw.link.protocol import Command, Reason, Want
from trine_sw.link.records import COUNTERS, GENERATE_BYTES
from trine_sw.link.session import OUT_OF_REACH, PATIENCE, STRANGE_GAPS, HostCounters
from trine_sw.model import Model
from trine_sw.model.trits import TRITS_PER_BYTE, pack, packed_size
from trine_sw.support.errors import TrineError

__all__ = ["ClientFacts"]

#: Most choices of one request: a board that computes them does not seem to be gone.
_GENERATE_AT_ONCE = 64
#: Bytes of answers to steps that nobody asked about, for which a frame of their own would cost as much.
_UNASKED = 32


class ClientFacts:
    """The facts of a client.

    Parameters
    ----------
    model : that the board holds
    title : its name in comments
    embedding, head : ``"board"``, ``"host"`` or None, which chooses as ``trine board`` does

    Raises
    ------
    TrineError
        If the model lacks what is asked for, or its only head is a float one and outputs are asked of it.
    """

    def __init__(self, model: Model, title: str, embedding: Any, head: Any) -> None:
        self.model, self.title = model, title
        engine = default_engine(model, placement=Placement(embedding, head))
        self.embedding, self.head = engine.embedding, engine.head
        self.has_head = model.head_weight is not None
        self.language = model.task == "language"
        if not self.has_head and model.heads and not self.language:
            raise TrineError(
                "the model's only head is a float one, and the C client computes in integers: export the "
                "model with a ternary head (trine.nn.TernaryLinear)"
            )
        self.sizes = ClientSizes.of(model, engine)

    @property
    def host_head(self) -> bool:
        """Whether the client computes the head."""
        return self.has_head and self.head == "host"

    @property
    def tokens(self) -> bool:
        """Whether steps are tokens."""
        return self.model.embedding_weight is not None

    @property
    def host_embedding(self) -> bool:
        """Whether the client has the embedding."""
        return self.tokens and self.embedding == "host"

    @property
    def windows(self) -> str:
        """The function of whole sequences, or nothing."""
        return "" if self.language or not self.has_head else self.model.task

    @cached_property
    def members(self) -> list[Member]:
        """Of a client, with the default sizes."""
        encoder = self.model.encoder
        return client_members(
            window=1,
            reply_bytes=protocol.HEADER_BYTES + self.sizes.reply + protocol.CRC_BYTES,
            features=encoder.features if encoder is not None and encoder.differences else 0,
            hidden=self.model.config.hidden if self.host_head else 0,
            outputs=self.model.config.vocab_size if self.windows in ("classify", "regress") else 0,
            counters=list(HostCounters.__dataclass_fields__),
        )

    @cached_property
    def slots(self) -> list[Member]:
        """Of a request that is not answered."""
        return slot_members(protocol.encoded_size(self.sizes.request))

    def facts(self) -> dict[str, Any]:
        """What the templates name."""
        found = {**self._protocol(), **self._model(), **self._tables()}
        return found | {"members": self.members, "slot_members": self.slots}

    def _protocol(self) -> dict[str, Any]:
        """What every board has in common."""
        link = protocol
        names = ("digest", "window", "slot_bytes", "receive_bytes", "logit_bits")
        return {
            "version": trine_sw.__version__,
            "errors": ERRORS,
            "reasons": [(reason.name, int(reason), reason.sentence) for reason in Reason],
            "commands": [(command.name, int(command)) for command in Command],
            "wants": [(want.name, int(want)) for want in Want],
            "done": link.DONE,
            "refused": link.REFUSED,
            "protocol_version": link.PROTOCOL_VERSION,
            "baud": DEFAULT_BAUD,
            "header_bytes": link.HEADER_BYTES,
            "crc_bytes": link.CRC_BYTES,
            "crc_table": c_bytes(crc_table(zlib.crc32)),
            "overhead": link.encoded_size(0),
            "most_slot": link.MOST_SLOT_BYTES,
            "least_slot": link.LEAST_SLOT_BYTES,
            "most_window": link.MOST_WINDOW,
            "info_at": [(name.upper(), at) for name, at in info_offsets().items() if name in names],
            "info_bytes": INFO_BYTES,
            "board_counters": COUNTERS,
            "generate_bytes": GENERATE_BYTES,
            "generate_at_once": _GENERATE_AT_ONCE,
            "unasked": _UNASKED,
            "trits_per_byte": TRITS_PER_BYTE,
            "powers": ", ".join(str(3**k) for k in range(TRITS_PER_BYTE)),
            "patience_ms": round(1000 * PATIENCE),
            "first_timeout_ms": round(1000 * pacing.FIRST_TIMEOUT),
            "least_timeout_ms": round(1000 * pacing.LEAST_TIMEOUT),
            "longest_timeout_ms": round(1000 * pacing.LONGEST_TIMEOUT),
            "most_backoff": pacing.MOST_BACKOFF,
            "payload_sample": pacing.PAYLOAD_SAMPLE,
            "least_payload": pacing.LEAST_PAYLOAD,
            "strange_gaps": STRANGE_GAPS,
            "out_of_reach": OUT_OF_REACH,
            **self._sampler(),
        }

    def _sampler(self) -> dict[str, Any]:
        """How a host chooses as the board does."""
        fraction = sampler.TAU_FRACTION + sampler.GUMBEL_FRACTION
        noise = sampler.gumbel_table()
        return {
            "tau_end": 1 << sampler.TAU_BITS,
            "tau_one": 1 << sampler.TAU_FRACTION,
            "gumbel_fraction": sampler.GUMBEL_FRACTION,
            "noise": noise,
            "noise_table": c_array(noise),
            "draw_shift": sampler.STATE_BITS - sampler.DRAW_BITS,
            "score_one": 1 << fraction,
            "score_shift": 1 << (fraction - sampler.SCORE_FRACTION),
            "state_seed_0": sampler.STATE_SEED_0,
        }

    def _model(self) -> dict[str, Any]:
        """What the client is told of the model."""
        model, config, sizes = self.model, self.model.config, self.sizes
        encoder = model.encoder
        forms = [("", "trine_real", "TRINE_FEATURES"), ("_samples", "int16_t", "TRINE_FEATURES")]
        specs = model.inputs or []
        scale = float(model.head_scale or 0)
        most = ((1 << sampler.TAU_BITS) - 1) / (1 << sampler.TAU_FRACTION) * scale
        digest = model.board_digest(embedding=self.embedding == "board", head=self.head == "board")
        return {
            "title": self.title,
            "task": model.task,
            "language": self.language,
            "hidden": config.hidden,
            "layers": config.layers,
            "embedding": config.embedding,
            "symbols": config.vocab_size,
            "digest": c_bytes(digest),
            "levels": level_values(config),
            "most_level": config.head_levels[-1],
            "u_bits": u_bits(config),
            "has_head": self.has_head,
            "host_head": self.host_head,
            "tokens": self.tokens,
            "host_embedding": self.host_embedding,
            "vectors": self.embedding == "host",
            "generates": self.tokens and self.has_head,
            "board_generates": self.embedding == "board" and self.head == "board",
            "windows": self.windows,
            "reduction": model.reduction,
            "labels": [c_text(label) for label in model.labels] if model.labels is not None else None,
            "encoder": encoder is not None,
            "differences": encoder is not None and encoder.differences,
            "features": encoder.features if encoder is not None else 0,
            "inputs": [c_text(f"{spec.name}, {spec.unit}" if spec.unit else spec.name) for spec in specs],
            "sample_rate": f"{model.sample_rate:g}" if model.sample_rate else None,
            "forms": [*(forms if encoder is not None else ()), ("_trits", "int8_t", "TRINE_EMBEDDING")],
            "real": encoder is not None or (self.tokens and self.has_head) or self.windows == "regress",
            "head_scale": c_real(scale),
            "most_temperature": f"{most:.4g}",
            "token_bytes": sizes.token,
            "item_bytes": sizes.item,
            "u_bytes": sizes.u,
            "packed_hidden": packed_size(config.hidden),
            "least_request": sizes.least_request,
            "request_bytes": sizes.request,
            "least_reply": sizes.least_reply,
            "reply_bytes": sizes.reply,
        }

    def _tables(self) -> dict[str, Any]:
        """What is in flash for the model."""
        model = self.model
        facts: dict[str, Any] = {}
        if model.encoder is not None:
            encoder = model.encoder
            facts |= {
                "encoder_rows": encoder.thresholds.shape[0],
                "encoder_trits": encoder.thresholds.shape[1],
                "thresholds": c_array(encoder.thresholds),
                "encoder_offset": c_array(encoder.offset),
                "encoder_scale": c_array(encoder.scale),
            }
        if self.host_head and model.head_weight is not None and model.head_bias is not None:
            facts |= {"head_weight": c_array(pack(model.head_weight)), "head_bias": c_array(model.head_bias)}
            facts["head_bytes"] = model.config.vocab_size * (packed_size(model.config.hidden) + 4)
        if self.host_embedding and model.embedding_weight is not None:
            facts["embedding_table"] = c_array(pack(model.embedding_weight))
            facts["embedding_bytes"] = model.config.vocab_size * self.sizes.item
        if model.output_scale is not None and model.output_offset is not None:
            facts |= {
                "output_scale": c_array(model.output_scale),
                "output_offset": c_array(model.output_offset),
            }
        return facts

    @property
    def table_bytes(self) -> int:
        """Of the tables that the model fills, in flash."""
        model, encoder = self.model, self.model.encoder
        size = self._tables()
        total = size.get("head_bytes", 0) + size.get("embedding_bytes", 0)
        if encoder is not None:
            total += encoder.thresholds.nbytes + encoder.offset.nbytes + encoder.scale.nbytes
        if self.tokens and self.has_head and not (self.embedding == self.head == "board"):
            total += 2 << sampler.DRAW_BITS
        if model.output_scale is not None and self.windows:
            total += 2 * model.output_scale.nbytes
        return total
