"""gridplan: divide communities into grids of households along roads.

One noun flows through the package: the *plan*, a GeoPackage file. Every verb
reads it, adds its layers and writes it back.
"""

__version__ = "0.1.0"
