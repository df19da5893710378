"""Tells the story of each durable process: what next, when, whether again, until when."""
