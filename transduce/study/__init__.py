"""From a TOML file to a run folder: configuration, checkpoints, records."""
