"""Scalers, encoders, imputers, polynomials, selection and text."""

from neon.converters.preprocessing import encoders, imputers, polynomial, scalers, selection, text

__all__ = ["encoders", "imputers", "polynomial", "scalers", "selection", "text"]
