"""A Xero of one's own: sign-in, organisations with books that add up, limits and faults. Written from its documentation."""
