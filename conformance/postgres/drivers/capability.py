"""For the drivers of Python: what a capability gave, or how it failed, as one JSON line."""

import json
import traceback

_lines = []


def canonical(value):
    """What JSON cannot hold, as text that tells type and value."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "\\x" + bytes(value).hex()
    if isinstance(value, dict):
        return {str(key): canonical(member) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [canonical(member) for member in value]
    return f"{type(value).__name__} {value}"


def gave(name, value):
    _lines.append(json.dumps({"capability": name, "value": canonical(value)}))


def failed(name):
    _lines.append(json.dumps({"capability": name, "error": traceback.format_exc()}))


def report():
    print("\n".join(_lines), flush=True)
