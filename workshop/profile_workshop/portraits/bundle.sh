#!/bin/bash
# All that a machine without this repository and without a network needs to train the portrait model.
#
#   bash run.sh train --minutes 9        any stage of `python -m profile_workshop portraits`, with its options
#
# What was learnt stays in $STATE (default: state/ beside this file), so that the next call goes on.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export STATE=${STATE:-$here/state} PYTHONUNBUFFERED=1
export XDG_CACHE_HOME=$STATE PYTHONPATH=$here/src:$STATE/site
if [ -d "$here/wheels" ] && [ ! -e "$STATE/site/.ready" ]; then
  python3 -m pip install -q --no-index --no-deps --no-compile --upgrade --target "$STATE/site" "$here"/wheels/*.whl
  touch "$STATE/site/.ready"
fi
python3 -m profile_workshop portraits unpack "$here"
stage=$1
shift
exec python3 -m profile_workshop portraits "$stage" --styles "$here/styles" "$@"
