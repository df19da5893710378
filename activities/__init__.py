"""Does: one step each, one side effect each."""
