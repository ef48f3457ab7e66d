"""``python -m benchmarks.partition UNITS.parquet… --seeds 20 [--peers] [--exact] [--goal]``."""

import sys

from benchmarks.partition.run import main

if __name__ == "__main__":
    sys.exit(main())
