"""The reference cases, answered through the public API: one module per file, one plain function per reference function."""
