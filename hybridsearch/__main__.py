"""What does `python -m hybridsearch` do? The same as the command `hybridsearch`."""

from hybridsearch.cli import main

if __name__ == "__main__":
    main()
