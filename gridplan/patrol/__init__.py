"""Patrol: teams, stops and streets become routes, visits and a timetable."""
