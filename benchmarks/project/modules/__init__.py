"""Features of the project that the benchmark runs, written as the guide says."""
