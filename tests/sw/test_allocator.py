"""Memory that stays with the process: large tensors that come again cost no new pages."""

import platform
import subprocess
import sys

import pytest

pytest.importorskip("torch")

FAULTS = """
import resource, sys
import torch
from trine_sw.training.allocator import keep_freed_memory

assert sys.argv[1] == "no" or keep_freed_memory()
for count in (3, 50):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(count):  # freed and made anew, as gradients are
        torch.zeros(10_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(kept):
    done = subprocess.run([sys.executable, "-c", FAULTS, kept], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is for glibc")
def test_large_tensors_come_again_without_new_pages():
    """50 tensors of 40 MB each are 488,000 pages of 4 KiB, or fewer larger ones."""
    assert faults("no") > 4 * faults("yes")
