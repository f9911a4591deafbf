"""The parts of `Explainer` and `Explanation`."""
