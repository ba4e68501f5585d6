"""What Amaranth's and LiteEth's parts of Ethernet agree on."""

from amaranth.lib import data

__all__ = ["CORE", "PHY", "WORD", "WORD_BYTES"]

#: Names of the modules of LiteEth's parts.
CORE, PHY = "trine_ethernet_core", "trine_ethernet_phy"

WORD_BYTES = 4

#: ``data`` has the first byte lowest; of the ``last`` word ``more`` bytes behind the first count.
WORD = data.StructLayout({"data": 8 * WORD_BYTES, "more": range(WORD_BYTES), "last": 1})
