"""``python -m director`` is the ``director`` command."""

from director.cli.main import main

if __name__ == "__main__":
    main()
