"""One numbered file per question; each runs alone and writes its figure, beside the JSON of its numbers, into ``figures/``."""
