"""Boards simulated at their pins: a netlist, and a host at the other end of its link, one file each kind."""
