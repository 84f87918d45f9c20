"""From one mode's channel to what a qubit keeps: encodings and their fidelities."""
