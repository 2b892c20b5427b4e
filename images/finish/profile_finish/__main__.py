"""The program of the finisher image."""

import sys

from profile_contract.stages.finish import FinishOrder, FinishReport
from profile_contract.stages.table import Stage
from profile_runtime.progress import StageProgress
from profile_runtime.shell import main
from profile_runtime.store.port import Store


def run(order: FinishOrder, store: Store, progress: StageProgress) -> FinishReport:
    # The stage's libraries take seconds to import: a pod that is asked to stop meanwhile must hear it.
    from .stage import run as stage

    return stage(order, store, progress)


if __name__ == "__main__":
    sys.exit(main(run, FinishOrder, Stage.FINISH))
