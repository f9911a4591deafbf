"""Tests of the layers of neuralized models."""
