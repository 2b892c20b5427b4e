"""One-line bugs that the unit tests must see, room by room, and what tries them: `make mutants`."""
