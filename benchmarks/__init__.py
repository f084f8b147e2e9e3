"""Measurements, not tests: each prints figures and their ratios of one run on one machine."""
