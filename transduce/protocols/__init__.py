"""What is done over a connection: transfer, heralded entanglement, and their rates."""
