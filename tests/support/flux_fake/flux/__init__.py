"""So much of flux-python as a CLI plugin meets, for machines without Flux."""
