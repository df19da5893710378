"""Tells: the story of each durable process. Deterministic; ids and small decisions only."""
