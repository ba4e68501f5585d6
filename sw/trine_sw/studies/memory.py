"""Memory of a deployed model at batch 1, by part: in 32-bit floating point and as packed trits."""

from dataclasses import dataclass

from trine_sw.model import HeadKind
from trine_sw.model.config import ModelConfig
from trine_sw.model.trits import packed_size

__all__ = ["Memory", "deployed"]

_FLOAT, _HALF, _THRESHOLD = 4, 2, 4  # bytes


@dataclass(frozen=True)
class Memory:
    """Bytes of each part; biases or thresholds are with the weights, and the state is of one stream."""

    weights: int
    state: int
    embedding: int
    head: int

    @property
    def total(self) -> int:
        """All parts."""
        return self.weights + self.state + self.embedding + self.head


def deployed(config: ModelConfig, head: HeadKind | None) -> Memory:
    """Bytes of a ternary model as its file holds them, with that head; without one, of the float model.

    A trit takes 1.6 bits, five to a byte, rows padded; a threshold an int32, a cell a byte. A float model has
    float32 throughout, and one gate n where the ternary model has rows nx and nh.
    """
    size, words = config.hidden, config.vocab_size
    columns = [config.of_layer(number).columns for number in range(config.layers)]
    if head is None:
        gates = len(config.spec.float_gates)
        biases = config.rows  # one a gate and unit, but for n, between whose two stands the reset
        return Memory(
            weights=sum(_FLOAT * (gates * size * count + biases) for count in columns),
            state=_FLOAT * len(config.spec.float_state) * config.cells,
            embedding=_FLOAT * words * config.embedding,
            head=_FLOAT * (words * size + words),
        )
    thresholds = 2 * config.rows + (2 * size if config.spec.has_reset else 0)
    of_head = words * packed_size(size) + 4 * words if head == "ternary" else _HALF * (words * size + words)
    return Memory(
        weights=sum(config.rows * packed_size(count) + _THRESHOLD * thresholds for count in columns),
        state=packed_size(config.cells) + config.cells,
        embedding=words * packed_size(config.embedding),
        head=of_head,
    )
