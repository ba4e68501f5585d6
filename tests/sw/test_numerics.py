"""How training computes by default: short products only where a processor has instructions for them."""

import platform

import pytest

torch = pytest.importorskip("torch")

from trine_sw.training.nn.recurrence import Numerics  # noqa: E402


@pytest.mark.parametrize(
    ("machine", "onednn", "avx512_bf16", "amx", "short"),
    [
        ("x86_64", True, False, False, False),  # AVX-512 without them: Skylake to Ice Lake
        ("AMD64", True, False, False, False),
        ("x86_64", True, True, False, True),  # Cooper Lake, Zen 4
        ("x86_64", True, True, True, True),  # Sapphire Rapids
        ("x86_64", False, False, False, False),  # AVX2
        ("aarch64", True, False, False, True),  # oneDNN says so only where Arm's are there
        ("aarch64", False, False, False, False),
    ],
)
def test_products_are_as_short_as_the_processor_multiplies(
    monkeypatch, machine, onednn, avx512_bf16, amx, short
):
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: onednn)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512_bf16)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    expected = torch.bfloat16 if short else torch.float32
    assert Numerics.fastest(torch.device("cpu")).product is expected
    assert Numerics.fastest(torch.device("cuda")).product is torch.bfloat16


def test_without_onednn_products_are_float32(monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert Numerics.fastest(torch.device("cpu")).product is torch.float32
