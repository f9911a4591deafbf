"""Naive Bayes, discriminants, mixtures and Gaussians: log-odds and log-densities."""

from neon.converters.bayes import covariance, discriminant, log_odds, mixture, naive_bayes

__all__ = ["covariance", "discriminant", "log_odds", "mixture", "naive_bayes"]
