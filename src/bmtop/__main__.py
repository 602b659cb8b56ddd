"""`python -m bmtop`, and the entry of the single-file form."""

import sys

from bmtop.cli import main

sys.exit(main())
