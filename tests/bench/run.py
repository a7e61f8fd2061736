# SPDX-License-Identifier: MIT
"""make bench: Troupe beside Linux. One static program, one QEMU, one table.

The program (bench.c) is run by tests/harness/runner.c as the only thing in the guest, four
times: on Debian's kernel and on Troupe, each once with `-icount shift=0,sleep=off`, where a
nanosecond of guest time is one instruction, and once in wall time. It prints lines

    bench NAME VALUE UNIT

with UNIT `ns` (an operation; less is better) or `MB/s` (more is better). In the table a ratio
below 1 always says that Troupe is faster. `bars` are the first goals; `!` marks a ratio beyond
its bar. What guest and host do together over the network card is in net.py, and a table of its
own. Raw results: build/bench.json.
"""
import argparse
import json
import os
import re
import struct
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "harness"))
import machine
import net
import suite
from console import Console, ConsoleError

# The first bar whose pattern is found in a benchmark's name holds: (pattern, in instructions,
# in wall time); None is no bar.
BARS = [
    (r"^(tcp|udp|unix)_pingpong", None, 1.0),
    (r"^tcp_stream", None, 1 / 0.7),            # at least 0.7 of Linux's throughput
    (r"process.*(ping|pong)|(ping|pong).*process", None, 0.5),
    (r"^(getppid|null)", None, None),
    (r"^fork|exec|spawn", 0.7, 0.7),
    (r"fault", 0.8, 0.8),
    (r"^(stat|fstat|open)", 1.5, 2.5),
    (r"^(p?read|p?write|lseek|pipe|futex|poll|epoll|clock)", 1.0, 1.0),
]


def bar_of(name):
    for pattern, instructions, wall in BARS:
        if re.search(pattern, name):
            return instructions, wall
    return None, None


# --- measuring ----------------------------------------------------------------------------

def make_vm(options, linux, icount, initrd):
    return machine.Machine(build=options.build, linux=linux, icount=icount, initrd=initrd,
                           accel="tcg" if options.accel == "auto" else options.accel,
                           smp=1, mem=options.mem, machine=options.machine)


def measure(options, archive, linux, icount):
    """Runs the program once; returns {name: (value, unit)}."""
    label = "%s-%s" % ("linux" if linux else "troupe", "icount" if icount else "wall")
    transcript = "%s/log/bench-%s.log" % (options.build, label)
    began = time.monotonic()
    print("  BENCH   %-6s %-14s" % ("Linux" if linux else "Troupe",
                                    "instructions" if icount else "wall time"), end="", flush=True)
    with Console(make_vm(options, linux, icount, archive), transcript) as console:
        trouble = suite.watch(console)
        text = console.text
    results = {name: (float(value), unit) for name, value, unit in
               re.findall(r"^bench (\S+) ([\d.]+(?:e[+-]?\d+)?) (\S+)$", text, re.M)}
    if "\n## done" not in text:
        trouble = trouble or "the machine ended early"
    print("%d results (%.0f s)%s" % (len(results), time.monotonic() - began,
                                     trouble and "; %s, see %s" % (trouble, transcript)))
    return results


def measure_best(options, archive, linux, icount):
    """Wall time is disturbed by the host: the best of several runs counts."""
    best = {}
    for _ in range(1 if icount else options.runs):
        for name, (value, unit) in measure(options, archive, linux, icount).items():
            better = min if unit == "ns" else max
            best[name] = (better(value, best[name][0]) if name in best else value, unit)
    return best


def empty_kernel(build):
    """A kernel that ends QEMU with its first instructions: what QEMU itself costs."""
    code = bytes([0xBA, 0xF4, 0, 0, 0, 0xB0, 0x10, 0xEE, 0xFA, 0xF4])
    note = struct.pack("<III4sQ", 4, 8, 18, b"Xen\0", 0x100000 + 0x1000)   # PVH entry
    header = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + struct.pack(
        "<HHIQQQIHHHHHH", 2, 62, 1, 0x101000, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 7, 0, 0x100000, 0x100000, 0x2000, 0x2000, 4096)
    notes = struct.pack("<IIQQQQQQ", 4, 4, 0x800, 0x100800, 0x100800, len(note), len(note), 4)
    path = os.path.join(build, "tests/empty.elf")
    with open(path, "wb") as f:
        f.write((header + load + notes).ljust(0x800, b"\0") + note.ljust(0x800, b"\0")
                + code.ljust(0x1000, b"\0"))
    return path


def boot_cost(options, kernel=None, linux=False, until=None):
    """(wall seconds, QEMU's CPU seconds, memory used in KiB) to the prompt or to QEMU's end."""
    vm = make_vm(options, linux, False, os.path.join(options.build, "boot.cpio"))
    vm.kernel = kernel or vm.kernel
    used = None
    with Console(vm, "%s/log/bench-boot.log" % options.build) as console:
        before = os.times()
        if until is None:
            console.wait()
            wall = time.monotonic() - console.started
            after = os.times()
            cpu = (after.children_user + after.children_system
                   - before.children_user - before.children_system)
            return wall, cpu, used
        console.expect(until, 60)
        wall, cpu = time.monotonic() - console.started, console.cpu_seconds()
        console.send("free -k\r")
        match = console.expect(r"^Mem:\s+\d+\s+(\d+)", 20)
        return wall, cpu, int(match.group(1))


# --- the tables ---------------------------------------------------------------------------

def number(value, unit):
    if value is None:
        return "-"
    if unit == "ns" and value >= 100000:
        return "%.0f us" % (value / 1000)
    return ("%.0f %s" if value >= 100 else "%.1f %s") % (value, unit)


def ratio_of(linux, troupe, unit):
    if not linux or not troupe:
        return None
    return troupe / linux if unit == "ns" else linux / troupe


def ratio_text(ratio, bar):
    if ratio is None:
        return "-"
    return "%.2f%s" % (ratio, "!" if bar is not None and ratio > bar + 0.005 else "")


def table(results):
    """Prints the table; returns (bars held, bars missed, not measured)."""
    names = []
    for run in results.values():
        names += [n for n in run if n not in names]
    held = missed = unknown = 0
    line = "  %-28s %10s %10s %7s   %10s %10s %7s   %s"
    print()
    print(line % ("", "instr.", "", "", "wall", "", "", "bars"))
    print(line % ("", "Linux", "Troupe", "ratio", "Linux", "Troupe", "ratio", "instr./wall"))
    for name in names:
        cells, bars = [], bar_of(name)
        for mode, bar in zip(("icount", "wall"), bars):
            linux, unit = results["linux-" + mode].get(name, (None, None))
            troupe, unit2 = results["troupe-" + mode].get(name, (None, None))
            unit = unit or unit2
            ratio = ratio_of(linux, troupe, unit)
            shown = "" if mode == "icount" and unit == "ns" else unit
            as_number = (lambda v: "-" if v is None else "%.0f" % v) if shown == "" \
                else (lambda v: number(v, shown))
            cells += [as_number(linux), as_number(troupe), ratio_text(ratio, bar)]
            if bar is not None:
                unknown += ratio is None
                held += ratio is not None and ratio <= bar + 0.005
                missed += ratio is not None and ratio > bar + 0.005
        text = "/".join("-" if b is None else "%.1f" % b for b in bars)
        print(line % (name, *cells, text if text != "-/-" else ""))
    return held, missed, unknown


def boot_table(options):
    print("\n  Boot to the prompt (-smp 1, %d MiB, %s)     wall      QEMU's CPU   memory used"
          % (options.mem, options.machine))
    empty = min(boot_cost(options, kernel=empty_kernel(options.build)) for _ in range(3))
    rows, prompt = [("an empty kernel", empty)], r"root@troupe:.*[#$] "
    for name, linux in (("Linux", True), ("Troupe", False)):
        if (name == "Linux" or os.path.exists(os.path.join(options.build, "kernel/troupe.elf"))):
            try:
                rows.append((name, min(boot_cost(options, linux=linux, until=prompt)
                                       for _ in range(3))))
            except ConsoleError as error:
                print("  %s: %s" % (name, error))
    for name, (wall, cpu, used) in rows:
        print("  %-42s %6.2f s   %6.2f s      %s" % (name, wall, cpu,
                                                   "%d KiB" % used if used else ""))
    sizes = [("boot.cpio", "boot.cpio"), ("Linux's kernel", "linux/vmlinuz"),
             ("Troupe's kernel", "kernel/troupe.elf")]
    for name, path in sizes:
        path = os.path.join(options.build, path)
        if os.path.exists(path):
            print("  %-42s %6d KiB" % (name, os.path.getsize(path) // 1024))
    return rows


def calls(options, sides):
    """Runs bench.c everywhere: {"linux-icount": {name: (value, unit)}, ...}."""
    program = os.path.join(options.build, "tests/bench/bench")
    archive = suite.runner_archive(options, "bench", [program], timeout=0, arguments=options.rows)
    return {"%s-%s" % (side, mode):
            measure_best(options, archive, side == "linux", mode == "icount")
            if side in sides else {} for mode in ("icount", "wall")
            for side in ("linux", "troupe")}


def main():
    os.chdir(machine.TOP)
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    parser.add_argument("--mem", type=int, default=512)
    parser.add_argument("--machine", default="q35")
    parser.add_argument("--accel", default="auto", help="auto is tcg here: both sides emulated")
    parser.add_argument("--runs", type=int, default=1, help="wall time: best of so many (1)")
    parser.add_argument("--only", choices=["linux", "troupe"], help="one side only")
    parser.add_argument("--rows", nargs="+", default=[], help="rows whose names begin like this")
    parser.add_argument("--no-boot", action="store_true", help="without the boot table")
    parser.add_argument("--no-net", action="store_true", help="without what needs the network card")
    parser.add_argument("--only-net", action="store_true", help="nothing but that")
    options = parser.parse_args()

    sides = [side for side in ("linux", "troupe") if options.only in (None, side)]
    results = {} if options.only_net else calls(options, sides)
    held, missed, unknown = table(results) if results else (0, 0, 0)
    if not options.no_net:
        results["net"] = net.run(options, sides)
        more = net.table(results["net"])
        held, missed, unknown = held + more[0], missed + more[1], unknown + more[2]
    with open(os.path.join(options.build, "bench.json"), "w") as f:
        json.dump(results, f, indent=1)
    if not options.no_boot and not options.only_net:
        boot_table(options)
    print("\n%d bars held, %d missed, %d not measured" % (held, missed, unknown))
    return 0


if __name__ == "__main__":
    sys.exit(main())
