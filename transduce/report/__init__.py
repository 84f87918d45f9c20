"""Pictures and one self-contained page, drawn from a record."""
