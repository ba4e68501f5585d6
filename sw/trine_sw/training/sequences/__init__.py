"""Training on sequences of real features: classification, labelling and regression."""
