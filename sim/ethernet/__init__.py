"""Simulated board on an Ethernet: its GMII pins on a TAP interface, or fed with frames one by one."""
