"""Reports of routed engines: figures, pictures, components and an estimate of power."""
