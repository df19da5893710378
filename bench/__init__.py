"""How fast Duly is, always beside something else in the same run: a lower bound, an idiomatic alternative, a peer."""
