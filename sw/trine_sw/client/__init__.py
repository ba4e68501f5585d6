"""Clients of a board in other languages, generated from a model file."""

from trine_sw.client.c_client import CClient, c_client

__all__ = ["CClient", "c_client"]
