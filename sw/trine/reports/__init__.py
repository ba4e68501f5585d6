"""Reports that combine models, engines and simulations."""
