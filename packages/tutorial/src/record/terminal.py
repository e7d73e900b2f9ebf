"""Runs a command in a terminal of a stated size, and prints what that terminal would show.

    terminal.py COLUMNS ROWS COMMAND [ARGUMENT...]

Ends with the command's exit code. SIGTERM is passed on to the command. When this ends first, the
terminal is gone, and the system sends SIGHUP to all that runs in it.
"""

import fcntl
import os
import pty
import signal
import struct
import sys
import termios

columns, rows, *command = sys.argv[1:]

pid, terminal = pty.fork()
if pid == 0:
    # Before the command begins, so that it never sees another size.
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", int(rows), int(columns), 0, 0))
    os.execvp(command[0], command)

signal.signal(signal.SIGTERM, lambda number, _frame: os.kill(pid, number))

while True:
    try:
        output = os.read(terminal, 65536)
    except OSError:  # Linux says EIO when nobody has the terminal open any more,
        break
    if not output:  # and other systems say that it is at its end.
        break
    sys.stdout.buffer.write(output)
    sys.stdout.buffer.flush()

_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status) & 0xFF)
