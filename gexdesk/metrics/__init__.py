"""COUNTS. Latency histograms, promises, rates; pure arithmetic."""
