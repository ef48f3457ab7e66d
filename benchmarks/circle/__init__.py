"""How fast the nearest facilities of a whole city are found, beside other programs."""
