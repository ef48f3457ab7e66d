"""Done against planned: tracks and check-ins of teams held to the routes that a plan gave them."""

from gridplan.log.desk import Logged, log_files
from gridplan.log.record import put_log
from gridplan.log.request import LogRequest, LogRules

__all__ = ["LogRequest", "LogRules", "Logged", "log_files", "put_log"]
