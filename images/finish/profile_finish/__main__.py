"""The program of the finisher image."""

import sys

from profile_contract.stages.finish import FinishOrder, FinishReport
from profile_contract.stages.table import Stage
from profile_runtime.context import StageContext
from profile_runtime.shell import main


def run(order: FinishOrder, context: StageContext) -> FinishReport:
    # The stage's libraries take seconds to import: a pod that is asked to stop meanwhile must hear it.
    from .stage import run as stage

    return stage(order, context)


if __name__ == "__main__":
    sys.exit(main(run, FinishOrder, Stage.FINISH))
