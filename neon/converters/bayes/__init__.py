"""Naive Bayes, discriminants, mixtures and Gaussians: log-odds and log-densities."""
