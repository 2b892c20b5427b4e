"""python -m profile_samples: see `profile_samples.drawing`."""

import sys

from .drawing import main

if __name__ == "__main__":
    sys.exit(main())
