"""Why calls of a function take their time: from single calls and what is inside them.

parted     calls in partitions of whole processes: one here, one for each host on a cluster
selection  which calls a question is about; partition.py chooses them where they are
nest       which call is inside which (native/nest.c); caused.py, afterwards.py: what the kernel did elsewhere
ranks      which calls are typical, and which are slow
explained  what each partition contributes (subtrees.py, paths.py); contributions add up
explain    makes an Explanation of the sum, and words.py says it; addedup.py knows what profiles say
"""
