"""Trees of every library, read from the fitted object itself; optional libraries are never imported."""
