"""What pages read: one statement each, frozen values out. Row-level security decides what a portal's statement sees."""
