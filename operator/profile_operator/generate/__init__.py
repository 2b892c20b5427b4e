"""Generation beside the loop: short steps that go on where they were cut."""
