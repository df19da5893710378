"""Mail: one port, SMTP behind it."""
