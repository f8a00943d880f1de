"""Runs a program in a terminal of its own and plays a person: reads steps as JSON from the file given first, runs the words after it.

Steps: {"expect": text}, {"send": text}, {"resize": [columns, rows]}, {"end": true}. Prints JSON: what was shown, and how it ended.
"""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

PATIENCE = float(os.environ.get("TERMINAL_PATIENCE", "30"))


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        plan = json.load(file)
    pid, master = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm-256color"
        os.execvp(sys.argv[2], sys.argv[2:])
    resize(master, plan.get("size", [80, 24]))
    shown = bytearray()
    seen = 0
    failed = None
    for step in plan["steps"]:
        if "send" in step:
            os.write(master, step["send"].encode())
        elif "resize" in step:
            resize(master, step["resize"])
            os.kill(pid, signal.SIGWINCH)
        else:
            wanted = step.get("expect", "").encode()
            until = time.monotonic() + PATIENCE
            while failed is None and ("end" in step or wanted not in shown[seen:]):
                chunk = read(master, until)
                if chunk is None:
                    failed = "nothing more came while waiting for %r" % step
                elif chunk == b"":
                    if "end" not in step:
                        failed = "it ended while waiting for %r" % step
                    break
                else:
                    shown += chunk
            if wanted and failed is None:
                seen = shown.index(wanted, seen) + len(wanted)
        if failed is not None:
            os.kill(pid, signal.SIGKILL)
            break
    _, status = os.waitpid(pid, 0)
    print(json.dumps({"shown": shown.decode("utf-8", "replace"), "exit": os.waitstatus_to_exitcode(status), "failed": failed}))


def read(master, until):
    """None: nothing came in time. Empty: the program has closed its terminal."""
    ready, _, _ = select.select([master], [], [], max(0, until - time.monotonic()))
    if not ready:
        return None
    try:
        return os.read(master, 65536)
    except OSError:
        return b""


def resize(master, size):
    columns, rows = size
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


main()
