"""Where to put the next facilities: sites that serve most, with a bound on what is possible."""

from gridplan.siting.best import Work
from gridplan.siting.cover import cover_most, cover_share
from gridplan.siting.desk import Chosen, choose_sites
from gridplan.siting.links import Links
from gridplan.siting.request import SiteRequest
from gridplan.siting.serving import serve_most
from gridplan.siting.solution import CannotMeetError, Solution
from gridplan.siting.ways import shorten_ways

__all__ = ["CannotMeetError", "Chosen", "Links", "SiteRequest", "Solution", "Work",
           "choose_sites", "cover_most", "cover_share", "serve_most", "shorten_ways"]
