"""Prices as they are published: a reader for each format, and one table of them. Bytes in, priced instants out."""
