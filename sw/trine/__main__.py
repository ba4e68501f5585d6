"""``python -m trine``: the command ``trine``."""

from trine.cli import main

main()
