"""Transducers as data sheets: a device tells its linear system and knows no link."""
