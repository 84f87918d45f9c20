"""Devices: the laws that every transducer keeps, and the closed forms of each."""
