"""Support vector machines, Gaussian processes and other sums of kernels."""

from neon.converters.kernels import algebra, approximation, gaussian_process, machines, pca, ridge

__all__ = ["algebra", "approximation", "gaussian_process", "machines", "pca", "ridge"]
