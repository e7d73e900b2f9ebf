"""Runs a command in a terminal, types into it what comes on stdin, and prints what the terminal would show.

    typing.py COMMAND [ARGUMENT...]

Ends with the command's exit code.
"""

import os
import pty
import select
import sys

pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])

sources = [terminal, 0]
while True:
    ready, _, _ = select.select(sources, [], [])
    if 0 in ready:
        keys = os.read(0, 4096)
        if keys:
            os.write(terminal, keys)
        else:
            sources.remove(0)
    if terminal in ready:
        try:
            output = os.read(terminal, 65536)
        except OSError:  # Linux says EIO when nobody has the terminal open any more.
            break
        if not output:
            break
        os.write(1, output)

_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status) & 0xFF)
