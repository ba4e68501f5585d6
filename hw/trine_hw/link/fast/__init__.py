"""The fast codec of the link: what moves a byte, or several cells, in every cycle."""
