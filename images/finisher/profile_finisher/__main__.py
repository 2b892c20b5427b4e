"""The program of the finisher image."""

import sys

from profile_contract.names import Stage
from profile_contract.orders import FinishOrder
from profile_contract.shell import main

from .stage import run

if __name__ == "__main__":
    sys.exit(main(run, FinishOrder, Stage.FINISH))
