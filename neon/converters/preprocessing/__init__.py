"""Scalers, encoders, imputers, polynomials, selection and text."""
