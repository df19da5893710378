"""One payment, made in several ways: through Duly, through other orchestrators, and through none."""
