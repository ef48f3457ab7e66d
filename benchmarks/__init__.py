"""Side by side with peers, one command for each claim: ``python -m benchmarks.NAME --help``.

Results are one JSON object a line on stdout, what happens meanwhile is told on stderr.
"""
