"""The program of the trainer image."""

import sys

from profile_contract.names import Stage
from profile_contract.orders import TrainOrder, TrainReport
from profile_contract.progress import StageProgress
from profile_contract.shell import main
from profile_contract.store import Store


def run(order: TrainOrder, store: Store, progress: StageProgress) -> TrainReport:
    # The stage's libraries take seconds to import: a pod that is asked to stop meanwhile must hear it.
    from .stage import run as stage

    return stage(order, store, progress)


if __name__ == "__main__":
    sys.exit(main(run, TrainOrder, Stage.TRAIN))
