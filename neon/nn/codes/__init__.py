"""Steps, functions of single columns, and codes that an inner optimization gives."""
