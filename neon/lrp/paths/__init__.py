"""Relevance integrated along a path from reference rows to a row."""
