"""Patrol: who drives or walks which streets and calls at which points.

The search knows no plan and no geometry: tasks and a matrix of costs go in, routes come out, and
bounds that never saw them.
"""
