"""Linear maps with fixed weights, monomials and projections, and networks side by side."""
