"""The benchmark: suites with exact truth, measures, baselines, reports."""
