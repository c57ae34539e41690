"""How answers look: pure functions from a result to text."""
