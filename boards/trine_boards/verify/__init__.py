"""What is loaded into a chip, simulated: netlists at the board's pins, against the model of the board."""
