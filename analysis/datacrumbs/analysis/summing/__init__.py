"""Sums over all calls, without holding them: what a summary is made of.

begun      begins to read (adding.py) before what asks is imported
parts      adds each worker's calls up as they are read (partial.py, native/reduce.c), and keeps what a second
           question may need
gather     merges the parts, whoever read them, and asks them again: for quantiles, for patterns of files
summarise  makes the tables of a Summary; gain.py adds phases, balance and overlap, findings.py what stands out
"""
