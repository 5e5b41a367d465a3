"""Run the command as `python -m tflite_quant`."""

import sys

from .command.cli import main

if __name__ == "__main__":
    sys.exit(main())
