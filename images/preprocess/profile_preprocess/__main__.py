"""The program of the preprocess image."""

import sys

from profile_contract.stages.preprocess import PreprocessOrder, PreprocessReport
from profile_contract.stages.table import Stage
from profile_runtime.context import StageContext
from profile_runtime.shell import main


def run(order: PreprocessOrder, context: StageContext) -> PreprocessReport:
    # The stage's libraries take seconds to import: a pod that is asked to stop meanwhile must hear it.
    from .stage import run as stage

    return stage(order, context)


if __name__ == "__main__":
    sys.exit(main(run, PreprocessOrder, Stage.PREPROCESS))
