"""How fast Xumi is, measured against its limit and its peers; `python -m benchmarks` runs all of it."""
