"""The tape rewritten: what the network computes instead of how it was written down."""
