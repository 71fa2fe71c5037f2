#!/bin/sh
# 3DBall in the part of a Unity build:
#
#     mlagents-learn config/ppo/3DBall.yaml --env=examples/serve_3dball.sh --run-id=wire
#
# Any trainer that starts Unity builds can start this; its arguments (--mlagents-port, -logFile, ...) are passed on.
folder=$(dirname "$0")
if ! command -v mlagents >/dev/null; then
    PATH=$folder/../.venv/bin:$PATH
fi
exec mlagents serve 3DBall "$@"
