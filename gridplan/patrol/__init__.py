"""Patrol: teams, stops and streets become routes, visits and a timetable.

The solvers know no plan and no geometry: `search` takes tasks and a matrix of costs, `stops` visits
with windows and shifts; `bound` says what no route can beat without ever seeing one.
"""
