"""The idiomatic alternative: the same jobs on the same tables, written as tutorials write them."""
