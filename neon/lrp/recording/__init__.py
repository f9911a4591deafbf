"""The forward pass, written on a tape."""
