"""`python -m xumi.cli` is `xumi`."""

from xumi.cli import main

main()
