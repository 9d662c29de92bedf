#!/usr/bin/env bash
# Gradescope runs this once, as root on Ubuntu, when it builds the image.
set -euo pipefail
home=${AUTOGRADER:-/autograder}
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install --yes --no-install-recommends bubblewrap ca-certificates python3 python3-venv
python3 -m venv "$home/uv"
"$home/uv/bin/pip" install uv
"$home/uv/bin/uv" venv --python @PYTHON@ "$home/environment"
"$home/uv/bin/uv" pip install --python "$home/environment/bin/python" --torch-backend cpu --compile-bytecode \
    --requirement "$home/source/requirements.txt"
# The images are downloaded now: a submission may be graded without a network.
PYTHONPATH=$home/source "$home/environment/bin/python" -m grader.command.gradescope prepare @ASSIGNMENT@ "$home"
