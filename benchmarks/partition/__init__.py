"""Grids out of instances of units: ours beside graph partitioners and regionalisers."""
