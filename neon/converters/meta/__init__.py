"""Estimators made of others: voting, stacking, calibration, one-vs-rest, several outputs."""
