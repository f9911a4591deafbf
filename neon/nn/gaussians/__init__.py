"""Energies of Gaussians."""
