# SPDX-License-Identifier: MIT
"""make test: everything, in order, one line per group; at the end `N passed, N failed`.

    style       lines and licences of the sources (style.py)
    host        build/tests/host/*: logic and data structures under ASan and UBSan
    oracle      the guest programs here on this host: a test that fails on Linux is a bad test.
                The tests that passed or were skipped here are those expected in the guest
    guest       the same programs in the guest, for every CPU count, shortcuts on and off
    session     shell sessions at the console (sessions.py)
    ssh         the host's OpenSSH client against a guest with a network (ssh.py)
    hostile     frames that no honest peer sends, to a guest that others use (hostile.py)
    machines    boots to a shell, with a network, on other machines, CPUs and memory sizes

A guest program prints one line per test: `ok SUBJECT.NAME`, `not ok SUBJECT.NAME REASON` or
`skip SUBJECT.NAME REASON`. A line that is missing (the program or the whole guest died) is a
failure. A guest that hangs or dies in one program is booted again with the programs after it.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hostile
import machine
import sessions
import ssh
import style
from console import Console, ConsoleError

LINE = re.compile(r"^(ok|not ok|skip) ([\w./+-]+)(?:[ :]+(.*))?$", re.M)
PROGRAM_TIMEOUT = 240     # seconds, for one guest program
SILENCE = 100             # seconds without a word from the guest: it hangs
REBOOTS = 8               # after so many lost machines the rest is given up


class Report:
    """Counts, and one line per group."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def group(self, label, seconds, passed, failures, skipped=0):
        """failures: list of (name, reason)."""
        self.passed += passed
        self.failed += len(failures)
        self.skipped += skipped
        verdict = "%d passed" % passed
        if skipped:
            verdict += ", %d skipped" % skipped
        if failures:
            verdict += ", %d FAILED" % len(failures)
        print("  TEST    %-42s %s (%.0f s)" % (label, verdict, seconds))
        for names, reason in self.alike(failures):
            more = " (and %d more with it)" % (len(names) - 1) if len(names) > 1 else ""
            print("          not ok %s%s: %s" % (names[0], more, reason))
        sys.stdout.flush()

    @staticmethod
    def alike(failures):
        """Neighbours that failed for one reason, as when a machine died: [([name], reason)]."""
        groups = []
        for name, reason in failures:
            if groups and groups[-1][1] == reason:
                groups[-1][0].append(name)
            else:
                groups.append(([name], reason))
        return groups


def parse(text):
    """{test: (verdict, reason)} of all result lines; a test that is printed twice must be ok twice."""
    results = {}
    for verdict, name, reason in LINE.findall(text):
        if results.get(name, ("ok",))[0] != "not ok":
            results[name] = (verdict, reason)
    return results


# --- on the host --------------------------------------------------------------------------

def run_on_host(program, folder, timeout):
    """Runs one program in a folder of its own. Returns (results, what went wrong or "")."""
    os.makedirs(folder, exist_ok=True)
    log = os.path.join(folder, "output.log")
    trouble = ""
    try:
        # A file: of a pipe the end would come only with the last child that a test left behind.
        with open(log, "wb") as output:
            done = subprocess.run([os.path.abspath(program)], cwd=folder, timeout=timeout,
                                  stdin=subprocess.DEVNULL, stdout=output,
                                  stderr=subprocess.STDOUT, start_new_session=True)
        if done.returncode:
            trouble = ("signal %d" % -done.returncode if done.returncode < 0
                       else "exit status %d" % done.returncode)
    except subprocess.TimeoutExpired:
        trouble = "no end within %d s" % timeout
    with open(log, encoding="utf-8", errors="replace") as output:
        text = output.read()
    return parse(text), trouble


def run_all_on_host(programs, folder, options, timeout=PROGRAM_TIMEOUT):
    shutil.rmtree(folder, ignore_errors=True)
    with ThreadPoolExecutor(options.jobs) as pool:
        return list(zip(programs, pool.map(
            lambda p: run_on_host(p, os.path.join(folder, os.path.basename(p)), timeout),
            programs)))


def verdicts(label, results, trouble, log):
    """Splits one program's results into (passed, failures, skipped)."""
    passed = [n for n, (v, _) in results.items() if v == "ok"]
    skipped = [n for n, (v, _) in results.items() if v == "skip"]
    failures = [(n, r) for n, (v, r) in results.items() if v == "not ok"]
    if trouble and not failures:
        failures.append((label, "%s; see %s" % (trouble, log)))
    elif not trouble and not results:
        passed.append(label)        # a program without lines of its own is one test
    return passed, failures, skipped


def stage_host(options, report):
    if not options.host:
        return
    folder = os.path.join(options.build, "log/host")
    began, passed, failures, skipped = time.monotonic(), 0, [], 0
    for program, (results, trouble) in run_all_on_host(options.host, folder, options):
        name = os.path.basename(program)
        good, bad, left = verdicts(name, results, trouble, "%s/%s/output.log" % (folder, name))
        passed, failures, skipped = passed + len(good), failures + bad, skipped + len(left)
    report.group("host: logic under ASan and UBSan", time.monotonic() - began, passed, failures,
                 skipped)


def stage_oracle(options, report):
    """Returns what the guest must print: {program: {test: its verdict on this host}}."""
    began, passed, failures, skipped, expected = time.monotonic(), 0, [], 0, {}
    log = os.path.join(options.build, "log/oracle")
    # Not below the build folder: tests of permissions want a path that everybody may walk.
    folder = tempfile.mkdtemp(prefix="troupe-oracle-")
    os.chmod(folder, 0o755)
    try:
        outcome = run_all_on_host(options.guest, folder, options)
        shutil.rmtree(log, ignore_errors=True)
        for program in options.guest:
            name = os.path.basename(program)
            os.makedirs(os.path.join(log, name))
            shutil.copy(os.path.join(folder, name, "output.log"), os.path.join(log, name))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for program, (results, trouble) in outcome:
        name = os.path.basename(program)
        good, bad, left = verdicts(name, results, trouble, "%s/%s/output.log" % (log, name))
        passed, failures, skipped = passed + len(good), failures + bad, skipped + len(left)
        expected[name] = {test: verdict for test, (verdict, _) in results.items()}
    if "oracle" in options.stages:
        report.group("oracle: guest programs on this host", time.monotonic() - began, passed,
                     failures, skipped)
    return expected


# --- archives -----------------------------------------------------------------------------

def make_archive(options, name, files):
    """build/tests/NAME.cpio: the root plus files, {path in root: file here or bytes}."""
    overlay = os.path.join(options.build, "tests/overlay-" + name)
    shutil.rmtree(overlay, ignore_errors=True)
    for path, source in files.items():
        target = os.path.join(overlay, path.lstrip("/"))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if isinstance(source, bytes):
            with open(target, "wb") as f:
                f.write(source)
        else:
            subprocess.run(["strip", "-s", "-o", target, source], check=True)
            os.chmod(target, 0o755)
    archive = os.path.join(options.build, "tests/%s.cpio" % name)
    subprocess.run([os.path.join(options.build, "tools/mkarchive"), "-t", "sysroot/rootfs/table",
                    "-o", archive, os.path.join(options.build, "rootfs"), overlay], check=True)
    return archive


def runner_archive(options, name, programs, timeout=PROGRAM_TIMEOUT, arguments=()):
    """An archive whose init runs these programs and turns the machine off."""
    files = {"/tests/" + os.path.basename(p): p for p in programs}
    files["/sbin/init"] = os.path.join(options.build, "tests/harness/runner")
    files["/tests/.timeout"] = b"%d\n" % timeout
    if arguments:
        files["/tests/.arguments"] = " ".join(arguments).encode()
    return make_archive(options, name, files)


def make_vm(options, smp, append="", **words):
    words.setdefault("mem", options.mem)
    return machine.Machine(build=options.build, smp=smp, accel=options.accel, linux=options.linux,
                           append=append, **words)


# --- in the guest -------------------------------------------------------------------------

class Run:
    """What one or several boots of a runner archive have shown."""

    def __init__(self):
        self.results = {}       # test: (verdict, reason)
        self.endings = {}       # program: how it ended, if not with status 0 or 1
        self.leaks = []

    def read(self, text):
        """Takes in a console's text. Returns (program that was begun but not ended, done?)."""
        begun = None
        for line in text.splitlines():
            words = line.split()
            if line.startswith("## begin ") and len(words) == 3:
                begun = words[2]
            elif line.startswith("## end ") and len(words) >= 4:
                begun = None
                ending = " ".join(words[3:])
                if ending not in ("status 0", "status 1"):
                    self.endings[words[2]] = "the program ended with " + ending
            elif line.startswith("## leak "):
                self.leaks.append(("leak." + words[2].rstrip(":"), " ".join(words[3:])))
        for name, value in parse(text).items():
            self.results[name] = value
        return begun, "\n## done" in text


def watch(console):
    """Reads a runner's console to its end. Returns "" or what went wrong."""
    while not console.ended:
        # A panic prints its story and stands still; no need to wait for long.
        silence = 3 if "panic" in console.text[-3000:].lower() else SILENCE
        if console.pump(1) or time.monotonic() - console.last_output < silence:
            continue
        return "the guest says nothing more"
    return ""


def boot_runner(options, label, programs, smp, append):
    """Runs the programs in the guest, booting again after one that took the machine down."""
    run, left, attempt = Run(), list(programs), 0
    while left:
        attempt += 1
        transcript = "%s/log/%s%s.log" % (options.build, label, "" if attempt == 1 else "-%d" % attempt)
        archive = runner_archive(options, "runner", left)
        with Console(make_vm(options, smp, append, initrd=archive), transcript) as console:
            trouble = watch(console)
            begun, done = run.read(console.text)
        if done:
            break
        names = [os.path.basename(p) for p in left]
        trouble = (trouble or "the machine ended") + "; see " + transcript
        if begun not in names or attempt == REBOOTS:
            for name in names[names.index(begun) if begun in names else 0:]:
                run.endings.setdefault(name, trouble)
            break
        run.endings[begun] = trouble
        left = left[names.index(begun) + 1:]
    return run


def stage_guest(options, report, expected):
    programs = [p for p in options.guest if expected.get(os.path.basename(p))]
    for smp in options.smp:
        for append in ([""] if options.linux else ["", "shortcuts=off"]):
            system = "Linux" if options.linux else "Troupe"
            label = "guest: %s, -smp %d%s" % (system, smp, append and ", shortcuts off")
            log = "guest-%s%d%s" % ("linux-" if options.linux else "smp", smp, append and "-off")
            began = time.monotonic()
            run = boot_runner(options, log, programs, smp, append)
            passed, failures, skipped = 0, list(run.leaks), 0
            for program, tests in expected.items():
                for test, on_host in tests.items():
                    verdict, reason = run.results.get(
                        test, ("not ok", "no result: "
                               + run.endings.get(program, "the program did not come to it")))
                    if verdict == "skip" and on_host == "ok" and not options.linux:
                        verdict, reason = "not ok", "skipped, though it passed on this host: " + reason
                    passed += verdict == "ok"
                    skipped += verdict == "skip"
                    if verdict == "not ok":
                        failures.append((test, reason))
            failed_names = {name for name, _ in failures}
            for program, ending in run.endings.items():
                if not any(test in failed_names for test in expected.get(program, [])):
                    failures.append((program, ending))
            report.group(label, time.monotonic() - began, passed, failures, skipped)


def stage_kernel(options, report):
    """The kernel's own tests: a native server in an archive of its own (tests/kernel)."""
    if options.linux or options.only:
        return
    archive = options.build + "/tests/kernel/boot.cpio"
    for smp, thread in sorted({(n, "multi") for n in options.smp} | {(2, "single"), (4, "multi")}):
        began = time.monotonic()
        label = "kernel: -smp %d, thread=%s" % (smp, thread)
        transcript = "%s/log/kernel-smp%d-%s.log" % (options.build, smp, thread)
        vm = make_vm(options, smp, "loglevel=7", initrd=archive, thread=thread)
        with Console(vm, transcript) as console:
            trouble = watch(console)
            results = parse(console.text)
            if "kernel: %d passed" % sum(v == "ok" for v, _ in results.values()) not in console.text:
                trouble = trouble or "the tests did not come to their end"
        passed, failures, skipped = verdicts(label, results, trouble, transcript)
        report.group(label, time.monotonic() - began, len(passed), failures, len(skipped))


# --- sessions and machines ----------------------------------------------------------------

def session_archive(options):
    files = {"/tests/busybox-static": os.path.join(options.build, "tests/busybox-static")}
    for kind in ("static", "static-pie", "dynamic"):
        files["/tests/hello-" + kind] = os.path.join(options.build, "tests/harness/hello-" + kind)
    return make_archive(options, "session", files)


def play(options, archive, smp, append, log, chosen):
    """Plays the sessions on one machine, a new one after a failure. Returns (passed, failures)."""
    passed, failures, console, boots, lost, at_prompt = 0, [], None, 0, 0, False
    try:
        for function in chosen:
            name = "session." + function.__name__
            try:
                if console is None:
                    boots, at_prompt = boots + 1, False
                    transcript = "%s/log/%s%s.log" % (options.build, log,
                                                      "" if boots == 1 else "-%d" % boots)
                    console = Console(make_vm(options, smp, append, initrd=archive), transcript)
                    console.log_in()
                    at_prompt, lost = True, 0
                function(console)
                passed += 1
            except (ConsoleError, sessions.Failure) as error:
                failures.append((name, "%s\n          see %s" % (error, console.path)))
                console.close()
                console = None
                lost += not at_prompt
                if lost == 2:
                    failures += [("session." + f.__name__, "the guest does not reach a prompt")
                                 for f in chosen[chosen.index(function) + 1:]]
                    break
    finally:
        if console:
            console.close()
    return passed, failures


def stage_session(options, report):
    archive = session_archive(options)
    chosen = [s for s in sessions.SESSIONS if not options.only or s.__name__ in options.only]
    if not chosen:
        return
    runs = [(smp, "") for smp in options.smp]
    if not options.linux:
        runs.append((options.smp[-1], "shortcuts=off"))
    for smp, append in runs:
        system = "Linux" if options.linux else "Troupe"
        log = "session-%s%d%s" % ("linux-" if options.linux else "smp", smp, append and "-off")
        began = time.monotonic()
        passed, failures = play(options, archive, smp, append, log, chosen)
        report.group("session: %s, -smp %d%s" % (system, smp, append and ", shortcuts off"),
                     time.monotonic() - began, passed, failures)


MACHINES = [
    dict(machine="q35", cpu="qemu64", smp=1),
    dict(machine="pc", cpu="max", smp=2),
    dict(machine="pc", cpu="qemu64", smp=4),
    dict(machine="microvm", cpu="max", smp=1),
    dict(machine="microvm", cpu="qemu64", smp=2),
    dict(machine="q35", cpu="max", smp=1, mem=24),
    dict(machine="q35", cpu="max", smp=4, mem=4096),
]


def stage_machines(options, report):
    if options.linux or options.only:
        return
    began, passed, failures = time.monotonic(), 0, []
    for words in MACHINES:
        name = "machine." + "-".join(str(v) for v in words.values())
        words = dict(words, cpu=None) if options.accel == "kvm" else words
        transcript = "%s/log/%s.log" % (options.build, name)
        try:
            with Console(make_vm(options, net=machine.user_net(), **words), transcript) as console:
                console.log_in()
                sessions.equal(console, "nproc; seq 10 | sort -n | tail -1",
                               "%d\n10" % words["smp"])
                # The network card is found, and the address that QEMU gives comes over it.
                sessions.equal(console, "for i in 1 2 3 4 5 6 7 8 9; do ifconfig eth0 | "
                               "grep -q 10.0.2.15 && break; sleep 1; done; "
                               "ifconfig eth0 | grep -o 'addr:10[.0-9]*'; "
                               "grep -o 'virtio-net *running' /proc/troupe/servers | wc -l",
                               "addr:10.0.2.15\n1")
                console.send("poweroff\r")
                console.wait()
            passed += 1
        except (ConsoleError, sessions.Failure) as error:
            failures.append((name, "%s\n          see %s" % (error, transcript)))
    report.group("machines: q35, pc, microvm; 24 MiB to 4 GiB", time.monotonic() - began, passed,
                 failures)


# --- the whole ----------------------------------------------------------------------------

STAGES = ["style", "host", "kernel", "oracle", "guest", "session", "ssh", "hostile",
          "machines"]


def options_parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    words = lambda text: text.replace(",", " ").split()
    parser.add_argument("--build", default="build")
    parser.add_argument("--host", type=words, default=[], help="host tests")
    parser.add_argument("--guest", type=words, default=[], help="guest programs")
    parser.add_argument("--smp", type=words, default=["1", "2"], help="CPU counts (1 2)")
    parser.add_argument("--mem", type=int, default=256)
    parser.add_argument("--accel", default="auto", choices=["auto", "kvm", "tcg"])
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--linux", action="store_true", help="Debian's kernel as the guest")
    parser.add_argument("--only", type=words, default=[], help="programs and sessions, by name")
    parser.add_argument("--stages", type=words, default=STAGES, help=" ".join(STAGES))
    options = parser.parse_args()
    options.smp = [int(n) for n in options.smp] or [1, 2]
    options.stages = options.stages or STAGES
    if options.only:
        chosen = lambda paths: [p for p in paths if os.path.basename(p) in options.only]
        options.host, options.guest = chosen(options.host), chosen(options.guest)
    return options


def main():
    os.chdir(machine.TOP)
    options, report = options_parse(), Report()
    vm = make_vm(options, options.smp[-1])
    print("  TEST    in QEMU: %s" % vm.describe())
    if "style" in options.stages and not options.only:
        style.stage(report)
    if "host" in options.stages:
        stage_host(options, report)
    if "kernel" in options.stages:
        stage_kernel(options, report)
    expected = {}
    if options.guest and {"oracle", "guest"} & set(options.stages):
        expected = stage_oracle(options, report)
    if expected and "guest" in options.stages:
        stage_guest(options, report, expected)
    if "session" in options.stages:
        stage_session(options, report)
    if "ssh" in options.stages:
        ssh.stage(options, report, make_archive, make_vm)
    if "hostile" in options.stages:
        hostile.stage(options, report, make_archive, make_vm)
    if "machines" in options.stages:
        stage_machines(options, report)
    if report.skipped:
        print("          (%d skipped: the program says why)" % report.skipped)
    print("%d passed, %d failed" % (report.passed, report.failed))
    return 1 if report.failed or not report.passed else 0


if __name__ == "__main__":
    sys.exit(main())
