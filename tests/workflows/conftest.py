"""The workflows run on Linux, in bash."""

import shutil

collect_ignore_glob = [] if shutil.which("bash") and shutil.which("git") else ["test_*.py"]
