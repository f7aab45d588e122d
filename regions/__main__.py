"""``python -m regions``."""

from regions.app import main

if __name__ == "__main__":
    main()
