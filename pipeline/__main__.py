"""`python -m pipeline` is `pulse`."""

from pipeline.cli import main

main()
