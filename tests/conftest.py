"""What all tests share: property tests that give the same examples on every machine."""

from hypothesis import HealthCheck, settings

settings.register_profile("gridplan", derandomize=True, deadline=None, max_examples=50,
                          suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gridplan")
