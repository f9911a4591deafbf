"""What a converter is, where converters are found, and the network that comes out."""
