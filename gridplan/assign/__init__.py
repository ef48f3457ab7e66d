"""Assign responsibles: every grid has its people, and the workload is fair."""
