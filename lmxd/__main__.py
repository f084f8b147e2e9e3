"""`python -m lmxd` and the `lmxd` program: hands over to the command line."""

from __future__ import annotations

from lmxd.cli.app import main

if __name__ == "__main__":
    main()
