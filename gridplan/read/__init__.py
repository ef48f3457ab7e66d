"""Any file or table → checked layers in one metric CRS.

:func:`read_layers` brings files in, :func:`clean_study` makes a :class:`~gridplan.layers.Study`
of them, :func:`clean_boundaries` takes boundaries alone, :func:`clean_demand` points with
households in the place of buildings, :func:`read_facilities` facilities for a plan,
:func:`read_patrol` what a dispatcher gives, :func:`read_totals` household totals,
:func:`inspect_file` only looks.
"""

from gridplan.read.boundaries import clean_boundaries
from gridplan.read.clean import clean_study
from gridplan.read.demand import clean_demand
from gridplan.read.facilities import Facilities, read_facilities
from gridplan.read.inspect import FileReport, LayerReport, inspect_file
from gridplan.read.intake import read_layers, read_totals
from gridplan.read.patrol import read_patrol

__all__ = ["Facilities", "FileReport", "LayerReport", "clean_boundaries", "clean_demand",
           "clean_study", "inspect_file", "read_facilities", "read_layers", "read_patrol",
           "read_totals"]
