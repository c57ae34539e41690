"""One file for each mechanism. A provider attaches its part of the plan and returns what detaches it."""
