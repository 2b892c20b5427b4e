"""The program of the trainer image."""

import sys

from profile_contract.names import Stage
from profile_contract.orders import TrainOrder
from profile_contract.shell import main

from .stage import run

if __name__ == "__main__":
    sys.exit(main(run, TrainOrder, Stage.TRAIN))
