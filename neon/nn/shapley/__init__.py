"""What Shapley values and path rules integrate: units made of terms of single features, one file a kind.

What `neon.lrp.paths.terms` asks for; the layers hand them out by `Treatment.terms`.
"""
