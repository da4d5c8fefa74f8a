"""The command without what it needs."""

from __future__ import annotations

import subprocess
import sys


def test_without_cosmic_ray_the_command_says_how_to_get_it() -> None:
    run = "runpy.run_module('tests.mutation', run_name='__main__')"
    program = f"import runpy, sys; sys.modules['cosmic_ray'] = None; {run}"
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (finished.returncode, finished.stderr) == (1, "cosmic-ray is not installed: pip install -e '.[mutation]'\n")
