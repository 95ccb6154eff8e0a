"""`python -m authgate` is the `authgate` command."""

from authgate.cli import main

if __name__ == "__main__":
    main()
