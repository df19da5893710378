"""The mail catcher: a mail server that keeps every mail and delivers none, with pages to read them."""
