"""Whether the golden model of an export equals PyTorch in evaluation."""

import numpy as np
import torch

from trine_sw.golden import Golden
from trine_sw.training.models.export import export

__all__ = ["assert_equal_to_golden"]


def assert_equal_to_golden(model, streams=5, steps=80):
    """Every h, c and integer logit of evaluation mode and of the golden model of the export."""
    model.eval()
    config = model.config
    exported = export(model, [chr(65 + index) for index in range(config.vocab_size)], {})
    tokens = np.random.default_rng(1).integers(0, config.vocab_size, (steps, streams))
    trace = Golden(exported).run(tokens)
    with torch.no_grad():
        x = model.embedding_trits()[torch.from_numpy(tokens)]
        zero, all_h, all_c = torch.zeros(streams, config.hidden), [], []
        for layer in model.stack:
            trits, scale = layer.quantised()
            x, c = layer.evaluate(x, (zero, zero), trits, scale.squeeze(1))
            all_h.append(x)
            all_c.append(c)
        h, c = torch.cat(all_h, dim=-1), torch.cat(all_c, dim=-1)
        logits, _, h_forward = model(torch.from_numpy(tokens), model.initial_state(streams))
    np.testing.assert_array_equal(trace.h, h.numpy())
    np.testing.assert_array_equal(trace.c, c.numpy())
    np.testing.assert_array_equal(h_forward.numpy(), h.numpy())
    assert trace.logits is not None and exported.head_scale is not None
    np.testing.assert_array_equal(
        (trace.logits * np.float32(exported.head_scale)).astype(np.float32), logits.numpy()
    )
    return trace
