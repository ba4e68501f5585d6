"""Layers, models and quantisers for training in PyTorch: what ``trine.export`` turns into a model file.

Layers compute what the hardware computes, and are trained through it by straight-through gradients (HitNet:
Wang et al., NeurIPS 2018). PyTorch comes with the extra ``train``.
"""

from trine_sw.support.installing import needed

with needed("torch", "train", "trine.nn"):
    from trine_sw.training.models.ternary_model import TernaryLanguageModel
    from trine_sw.training.nn.cell_options import CellOptions
    from trine_sw.training.nn.encoder import TernaryEncoder
    from trine_sw.training.nn.linear import TernaryLinear
    from trine_sw.training.nn.quantise import btq, round_straight_through, row_scale, ttq, uniform
    from trine_sw.training.nn.recurrent import TernaryGRU, TernaryLSTM, TernaryMGU

__all__ = [
    "CellOptions",
    "TernaryEncoder",
    "TernaryGRU",
    "TernaryLSTM",
    "TernaryLanguageModel",
    "TernaryLinear",
    "TernaryMGU",
    "btq",
    "round_straight_through",
    "row_scale",
    "ttq",
    "uniform",
]
