"""Pipelines and columns side by side: how networks follow one another."""
