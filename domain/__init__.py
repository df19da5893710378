"""Decides: money, allocation, eligibility, lifecycles, booking rules. Standard library only: no clock, no ids, no I/O."""
