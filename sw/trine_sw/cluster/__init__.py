"""Jobs that run side by side: in this process, in worker processes, or on the workers of a Dask scheduler."""
