"""The verbs of datacrumbs_analyze: one file each."""
