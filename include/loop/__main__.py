"""``python -m include.loop``: what an operator asks or tells a pipeline from a terminal.

Takes the environment that ``NIGHTLOOP_ENVIRONMENT`` names, and AWS credentials as any AWS tool finds them
(``AWS_PROFILE``, or the local cloud's two files).
"""

from __future__ import annotations

import os
import sys


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status."""
    try:
        # Read here, because it takes seconds: Ctrl-C in them is no reason for a traceback either.
        from include.loop.commands.program import run

        status = run(arguments)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        print("interrupted: nothing was begun", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `… | head`: whoever read has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


if __name__ == "__main__":
    sys.exit(main())
