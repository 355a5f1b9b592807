"""``python -m diptych``: the command line, for launchers that start modules."""

from diptych.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
