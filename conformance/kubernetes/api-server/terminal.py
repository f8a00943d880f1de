"""Runs a program on a pseudo-terminal: terminal.py <directory> <program> [<argument> ...].

What comes on standard input is typed, what the terminal shows goes to standard output, and lines "<columns> <rows>" on descriptor 3 are the
terminal's size. Ends with the program's exit code, or 128 and the number of the signal that ended it.
"""

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios


def resize(terminal, line):
    columns, rows = (int(word) for word in line.split())
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def write_all(descriptor, data):
    while data:
        data = data[os.write(descriptor, data):]


def main():
    child, terminal = pty.fork()
    if child == 0:
        try:
            os.close(3)
            os.chdir(sys.argv[1])
            os.execvp(sys.argv[2], sys.argv[2:])
        except OSError as error:
            os.write(2, f"{sys.argv[2]}: {error.strerror}\n".encode())
        os._exit(127)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGKILL))
    signal.signal(signal.SIGHUP, lambda *_: os.close(terminal))
    sources, sizes = {0, 3, terminal}, b""
    while terminal in sources:
        ready, _, _ = select.select(list(sources), [], [])
        if 3 in ready:
            data = os.read(3, 4096)
            *lines, sizes = (sizes + data).split(b"\n")
            for line in lines:
                resize(terminal, line)
            if not data:
                sources.discard(3)
        if 0 in ready:
            data = os.read(0, 65536)
            if data:
                write_all(terminal, data)
            else:
                sources.discard(0)
        if terminal in ready:
            try:
                data = os.read(terminal, 65536)
            except OSError:
                data = b""
            if data:
                write_all(1, data)
            else:
                sources.discard(terminal)
    _, status = os.waitpid(child, 0)
    sys.exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))


main()
