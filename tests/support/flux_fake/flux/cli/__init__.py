"""See flux_fake/flux."""
