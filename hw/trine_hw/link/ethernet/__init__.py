"""Gigabit Ethernet: frames of the protocol as UDP datagrams."""
