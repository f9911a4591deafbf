"""Functions of one value: kernels of distances, curves, powers."""
