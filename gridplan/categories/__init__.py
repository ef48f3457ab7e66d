"""Which facilities people should have near their homes, and how near: tables as data.

>>> from gridplan.categories import load_categories
>>> load_categories().profile("gb50180-draft").limit_m("health_station")
300.0
"""

from gridplan.categories.loading import load_categories, read_rows
from gridplan.categories.model import COLUMNS, Category, CategoryTable, Profile, recall_profile

__all__ = ["COLUMNS", "Category", "CategoryTable", "Profile", "load_categories", "read_rows",
           "recall_profile"]
