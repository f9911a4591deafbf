"""Minima, maxima, soft or hard, log-sums, and evidence: what takes one score out of several."""
