# SPDX-License-Identifier: MIT
"""How the sources look, as far as a machine can tell: what HACKING.md says of lines and licences.

`clang-format --lines=FIRST:LAST -i FILE` wraps a line as the others are (.clang-format).
"""
import os
import re
import time

COLUMNS = 100
FOLDERS = ("kernel", "posix", "vfs", "netstack", "sysroot", "ports", "tests")
CODE = (".c", ".h", ".S")
LICENSED = CODE + (".py", ".mk", ".awk", ".ld")


def sources():
    for folder in FOLDERS:
        for at, folders, names in os.walk(folder):
            folders[:] = [name for name in folders if name != "__pycache__"]
            for name in names:
                if name.endswith(LICENSED):
                    yield os.path.join(at, name)


def complaints(path, text):
    if "SPDX-License-Identifier: MIT" not in text[:2000]:
        yield "no SPDX-License-Identifier"
    if not text.endswith("\n"):
        yield "no newline at the end"
    for number, line in enumerate(text.splitlines(), 1):
        if line != line.rstrip():
            yield "line %d: space at its end" % number
        # A string is left in one piece, so that it can be searched for.
        if path.endswith(CODE) and len(line.expandtabs(8)) > COLUMNS and '"' not in line:
            yield "line %d: more than %d columns" % (number, COLUMNS)
        if path.endswith(CODE) and re.match(r" {8}", line):
            yield "line %d: spaces where a tab belongs" % number


def stage(report):
    began, files, failures = time.monotonic(), 0, []
    for path in sources():
        with open(path, encoding="utf-8") as file:
            found = list(complaints(path, file.read()))
        if found:
            failures.append((path, found[0] + (", and %d more" % (len(found) - 1)
                                               if len(found) > 1 else "")))
        files += 1
    report.group("style: lines and licences of %d files" % files, time.monotonic() - began,
                 0 if failures else 1, failures)
