"""What changed between two groups of calls: sides.py asks every partition what the calls took in each slice of their
group's time (slices.py), compare.py makes a Comparison of two sides, and chance.py says what luck alone would do.
"""
