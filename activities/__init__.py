"""Does: one step each, one side effect each. Opens a transaction or calls a connector; arithmetic is the domain's."""
