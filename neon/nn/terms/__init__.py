"""Units made of terms of single features, one file a kind: squares, absolute differences, products, trees.

What `neon.lrp.paths.terms` asks for; the layers hand them out by `Treatment.terms`.
"""
