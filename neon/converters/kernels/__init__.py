"""Support vector machines, Gaussian processes and other sums of kernels."""
