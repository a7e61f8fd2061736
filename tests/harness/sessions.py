# SPDX-License-Identifier: MIT
"""Shell sessions: what a person would type at the console, and what must come back.

A session is a function that takes a Console at bash's prompt and raises Failure (or times out)
when the guest does not do what Linux does; `make test-linux` plays them all on Linux. It must
leave the console at the prompt. Sessions are played in the order they stand here.
"""
import hashlib
import re

SESSIONS = []


class Failure(Exception):
    """The guest answered, but not as Linux does."""


def session(function):
    SESSIONS.append(function)
    return function


def check(condition, what):
    if not condition:
        raise Failure(what)


def run_ok(c, command, timeout=30):
    status, output = c.run(command, timeout)
    check(status == 0, "`%s` gave status %d: %s" % (command, status, output.strip()[-200:]))
    return output


def equal(c, command, expected, timeout=30):
    output = run_ok(c, command, timeout).strip()
    check(output == expected, "`%s` printed %r, not %r" % (command, output[-200:], expected))


# --- looking around -----------------------------------------------------------------------

@session
def look_around(c):
    check("x86_64" in run_ok(c, "uname -a"), "uname does not say x86_64")
    equal(c, "id -u; pwd; hostname", "0\n/root\ntroupe")
    equal(c, "tty", "/dev/ttyS0")
    check(re.search(r"^processor\s*: 0", run_ok(c, "cat /proc/cpuinfo"), re.M), "no processor 0")
    check("cpu0" in run_ok(c, "grep cpu0 /proc/stat"), "no cpu0 in /proc/stat")


@session
def process_lists(c):
    check("ps -ef" in run_ok(c, "ps -ef"), "ps -ef does not list itself")
    check("init" in run_ok(c, "busybox ps"), "busybox ps does not list init")
    check("top" in run_ok(c, "top -b -n 1"), "top does not list itself")
    check("Mem" in run_ok(c, "free"), "free shows no memory")
    check("load average" in run_ok(c, "uptime"), "uptime shows no load")
    check("bash" in run_ok(c, "busybox pmap $$"), "pmap does not show bash")
    equal(c, "pgrep -x bash | grep -c .", "1")
    check("/dev/ttyS0" in run_ok(c, "lsof -p $$"), "lsof does not show the console")


@session
def proc_self_fd(c):
    output = run_ok(c, "ls -l /proc/self/fd </dev/null")
    check(re.search(r"\b0 -> /dev/null", output), "descriptor 0 is not /dev/null")
    check(re.search(r"\b1 -> /dev/ttyS0", output), "descriptor 1 is not the console")


# --- data ---------------------------------------------------------------------------------

@session
def pipelines(c):
    equal(c, "seq 100000 | sort -n | tail -1", "100000", 60)
    equal(c, "echo hello | tr a-z A-Z | rev", "OLLEH")
    equal(c, "yes | head -3 | wc -l", "3")
    equal(c, "false | true; echo ${PIPESTATUS[0]}", "1")
    equal(c, "awk 'BEGIN { for (i = 0; i < 5; i++) s += i; print s }'", "10")
    equal(c, "cat <(echo a) <(echo b) | paste -s -d,", "a,b")


def type_lines(c, *lines):
    """Types a command of several lines, each once the shell asks for it; returns what it prints."""
    for line in lines[:-1]:
        c.send(line + "\r")
        c.expect("^> ")
    return run_ok(c, lines[-1]).strip()


@session
def here_documents(c):
    check(type_lines(c, "cat <<EOF", "one $((1+1))", "EOF") == "one 2", "no expansion")
    check(type_lines(c, "sh -c 'read a b <<X", "p q r", "X", "echo $b-$a'") == "q r-p", "in dash")
    equal(c, "wc -c <<< hello", "6")


@session
def sum_of_zeros(c):
    sum64 = hashlib.sha256(bytes(64 << 20)).hexdigest()
    run_ok(c, "dd if=/dev/zero bs=1M count=64 of=/tmp/x 2>/dev/null", 60)
    equal(c, "stat -c %s /tmp/x", str(64 << 20))
    equal(c, "sha256sum < /tmp/x | cut -c1-64", sum64, 180)
    run_ok(c, "rm /tmp/x")


@session
def find_sort_sum(c):
    check(int(run_ok(c, "find / -xdev | wc -l", 60)) > 300, "find / found too little")
    command = "find / -xdev 2>/dev/null | sort | md5sum"
    first = run_ok(c, command, 60)
    equal(c, command, first.strip(), 60)


@session
def tar_round_trip(c):
    equal(c, "tar c -C / bin | tar t | grep -c /busybox$", "1", 60)
    run_ok(c, "mkdir -p /tmp/t && tar c -C / etc bin/dash | tar x -C /tmp/t", 60)
    run_ok(c, "diff -r /etc /tmp/t/etc && cmp /bin/dash /tmp/t/bin/dash", 60)
    run_ok(c, "tar c -C /tmp/t etc | gzip | gunzip | tar t >/dev/null", 60)
    run_ok(c, "rm -r /tmp/t && ! [ -e /tmp/t ]")


@session
def links_and_names(c):
    run_ok(c, "mkdir /tmp/n && cd /tmp/n")
    equal(c, "echo a >f; ln f g; ln -s g h; cat h; stat -c %h f", "a\n2")
    equal(c, "mv f k; rm g; cat k; cat h 2>/dev/null || echo gone", "a\ngone")
    equal(c, "ln -s loop loop; cat loop; :", "cat: loop: Symbolic link loop")
    equal(c, "mkfifo p; (echo through >p &); cat p", "through")
    equal(c, "exec 3<k; rm k; cat <&3; exec 3<&-", "a")
    run_ok(c, "cd; rm -r /tmp/n")


# --- jobs ---------------------------------------------------------------------------------

@session
def interrupt(c):
    c.send("sleep 100\r")
    c.expect("sleep 100\n")
    c.quiet()
    c.send("\x03")
    check(c.prompt() == 130, "^C did not end sleep with status 130")
    c.send("cat | cat\r")
    c.expect("cat\n")
    c.quiet()       # a CR that comes before the shell has left raw mode ends no line, on Linux either
    c.send("echoed\r")
    c.expect("echoed\nechoed\n")
    c.send("\x04")
    check(c.prompt() == 0, "^D did not end cat")


@session
def stop_and_continue(c):
    c.send("sleep 60\r")
    c.expect("sleep 60\n")
    c.quiet()
    c.send("\x1a")
    c.expect(r"\[1\]\+\s+Stopped\s+sleep 60")
    check(c.prompt() == 148, "^Z did not give status 148")
    run_ok(c, "bg")
    check("Running" in run_ok(c, "jobs"), "bg did not let it run")
    c.send("fg\r")
    c.expect("sleep 60\n")
    c.quiet()
    c.send("\x1a")
    c.expect("Stopped")
    c.prompt()
    start = len(c.text)
    run_ok(c, "kill %1")
    for _ in range(20):                     # bash tells it at one of the next prompts
        c.run("sleep 0.1")
        if "Terminated" in c.text[start:]:
            return
    raise Failure("kill %1 did not end it with SIGTERM")


@session
def background_and_wait(c):
    equal(c, "sh -c 'sleep 100 & kill $!; wait $!; echo $?' 2>/dev/null", "143")
    # Without job control a job has no group to be killed by: dash waits for it, as on Linux.
    check("Running" in run_ok(c, "sh -c 'sleep 2 & jobs; kill %1; wait' 2>/dev/null"),
          "dash's jobs did not list its job")
    equal(c, "bash -c 'for i in {1..200}; do (exit $i) & done; wait; echo ok'", "ok", 90)
    equal(c, "sh -c '(exit 7) & wait $!; echo $?'", "7")
    equal(c, "sh -c 'trap \"echo got\" USR1; kill -USR1 $$; echo after'", "got\nafter")


@session
def background_reader_stops(c):
    run_ok(c, "cat & sleep 1")
    check("Stopped" in run_ok(c, "jobs; true"), "a background reader was not stopped")
    c.run("kill -KILL %1; wait %1; true")
    c.run("jobs")


@session
def timeouts_and_signals(c):
    check(c.run("timeout 1 sleep 50")[0] in (124, 143), "timeout did not end sleep")
    check(c.run("sh -c 'kill -SEGV $$'")[0] == 139, "SIGSEGV did not give 139")
    check(c.run("sh -c 'ulimit -c 0; kill -ABRT $$'")[0] == 134, "SIGABRT did not give 134")
    equal(c, "sh -c 'trap \"\" TERM; kill $$; echo still here'", "still here")


# --- the terminal -------------------------------------------------------------------------

@session
def line_editing(c):
    c.send("cho edited\x01e\x05 line\r")
    c.expect("^edited line$")
    c.prompt()
    c.send("echo wrong words\x17\x17right\r")
    c.expect("^right$")
    c.prompt()
    c.send("\x1b[A\r")                      # arrow up: the last command again
    c.expect("^right$")
    c.prompt()
    c.send("echo /etc/hostn\t\r")
    c.expect("^/etc/hostname$")
    c.prompt()


@session
def line_discipline(c):
    run_ok(c, "stty sane columns 200")
    c.send("cat >/tmp/l\r")
    c.expect("cat >/tmp/l\n")
    c.quiet()
    c.send("oops\x7f\x7f\x7fk then\x17done\rgone\x15kept\r\x04")
    c.prompt()
    equal(c, "cat /tmp/l; rm /tmp/l", "ok done\nkept")
    check("icanon" in run_ok(c, "sh -c 'stty -a'"), "stty shows no icanon")
    equal(c, "stty rows 24 columns 80; stty size; stty columns 200", "24 80")


@session
def vi_edits(c):
    run_ok(c, "printf 'first\\nsecond\\n' >/tmp/f")
    c.send("vi /tmp/f\r")
    c.expect("second")
    c.quiet()
    c.send("jddihello\x1b")
    c.quiet()
    c.send(":wq\r")
    c.prompt()
    equal(c, "cat /tmp/f; rm /tmp/f", "hellofirst")


@session
def less_pages(c):
    c.send("seq 1000 | less\r")
    c.expect("20\\b")
    c.send(" ")
    c.expect("30\\b")
    c.send("G")
    c.expect("1000\\b")
    c.quiet()
    c.send("q")
    c.prompt()


@session
def pseudo_terminals(c):
    """A session on a pseudo-terminal, by busybox's script; one shell inside the other."""
    tty = "script -q -c tty /dev/null"
    check(re.search(r"^/dev/pts/0$", run_ok(c, tty), re.M), "tty does not print /dev/pts/0")
    check("/dev/pts/0" in run_ok(c, tty), "the number is not free again")
    run_ok(c, "stty rows 24 columns 80")
    check("24 80" in run_ok(c, "script -q -c 'stty size' /dev/null"), "the size is another")
    c.send("script -q -c 'PS1=inner: sh -i' /tmp/typescript\r")
    c.expect("^inner:")
    c.send("tty; sleep 60\r")
    c.expect("/dev/pts/0\n")
    c.quiet()
    c.send("\x03")
    c.expect("^inner:")
    c.send("ps -o tty,comm\r")
    c.expect(r"^pts/0\s+(ps|busybox|sh|dash)")
    c.expect("^inner:")
    c.send("cat & sleep 0.5; jobs; kill -9 %1; sleep 0.5; echo x$((40+2))\r")
    c.expect("Stopped")
    c.expect("x42\n")
    c.expect("^inner:")
    c.send("exit 5\r")
    c.prompt()
    check("x42" in run_ok(c, "cat /tmp/typescript"), "the typescript lacks what was said")
    run_ok(c, "rm /tmp/typescript; ls /dev/pts")
    equal(c, "ls /dev/pts", "ptmx")
    run_ok(c, "stty columns 200")


# --- users --------------------------------------------------------------------------------

@session
def ordinary_user(c):
    equal(c, "su user -c 'id -u; id -g; echo $HOME'", "1000\n1000\n/home/user")
    check(c.run("su user -c 'cat /etc/shadow' 2>/dev/null")[0] != 0, "a user read /etc/shadow")
    check(c.run("su user -c 'kill -9 1' 2>/dev/null")[0] != 0, "a user killed init")
    run_ok(c, "su user -c 'echo mine >~/x && rm ~/x'")
    equal(c, "touch /tmp/root; su user -c 'rm -f /tmp/root' 2>/dev/null; ls /tmp/root; rm /tmp/root",
          "/tmp/root")


# --- programs -----------------------------------------------------------------------------

@session
def kinds_of_programs(c):
    for kind in ("static", "static-pie", "dynamic"):
        equal(c, "/tests/hello-%s a b" % kind, "hello: 2 arguments, thread 42")
    run_ok(c, "printf '#!/bin/sh\\necho script $1\\n' >/tmp/s; chmod +x /tmp/s")
    equal(c, "/tmp/s arg; rm /tmp/s", "script arg")
    check(c.run("/etc/passwd 2>/dev/null")[0] == 126, "executing a text file without x")
    check(c.run("/no/such/program 2>/dev/null")[0] == 127, "executing nothing")


@session
def foreign_binary(c):
    """Debian's busybox-static, as it is."""
    b = "/tests/busybox-static"
    equal(c, b + " echo hello", "hello")
    equal(c, b + " sh -c '%s seq 1000 | %s sort -rn | %s head -1'" % (b, b, b), "1000")
    equal(c, b + " sh -c '%s ls /etc | %s grep -c passwd'" % (b, b), "1")
    check("busybox-static" in run_ok(c, b + " ps"), "its ps does not list itself")
    equal(c, b + " awk 'BEGIN { printf \"%.3f\\n\", 2 / 3 }'", "0.667")


@session
def many_processes(c):
    equal(c, "for i in $(seq 100); do sh -c 'exit 0' || echo bad; done; echo ok", "ok", 60)
    equal(c, "i=0; while [ $i -lt 300 ]; do i=$((i+1)); : $(echo x); done; echo $i", "300", 60)


# --- greed --------------------------------------------------------------------------------

@session
def fork_bomb(c):
    """A user's fork bomb meets the limit of processes; the console stays usable, the log names it."""
    run_ok(c, "(su user -c 'ulimit -u 40; bash -c \"f() { f | f & }; f\" >/dev/null 2>&1' &)")
    run_ok(c, "sleep 2")
    equal(c, "echo still here; seq 10 | tail -1", "still here\n10", 60)
    check(int(run_ok(c, "ps -ef | grep -c '^user'", 60)) >= 10, "the bomb did not go off")
    if run_ok(c, "[ -e /proc/troupe ] && echo ours; :").strip():
        check("cannot fork" in run_ok(c, "dmesg"), "the log does not tell of the limit")
    c.run("su user -c 'kill -9 -1'", 60)
    for _ in range(30):
        if run_ok(c, "ps -ef | grep -c '^user'; :", 60).strip() == "0":
            return
        c.run("sleep 0.2; su user -c 'kill -9 -1'", 60)
    raise Failure("the bomb's processes cannot be killed")


@session
def memory_eater(c):
    """Who takes all memory is killed, and named in the log; others live on."""
    status, output = c.run("awk 'BEGIN { s = \"xxxxxxxxxxxxxxxx\"; while (1) s = s s }'", 120)
    check(status in (1, 2, 134, 137), "the eater ended with %d: %s" % (status, output[-200:]))
    if status == 137:
        check(re.search(r"[Oo]ut of memory.*awk", run_ok(c, "dmesg")), "the log does not name it")
    equal(c, "echo fine; seq 1000 | sort -n | tail -1", "fine\n1000")


# --- servers that die ---------------------------------------------------------------------

# Where a server's name is written to end it; on Linux nothing happens.
RESTART = "r=/proc/sys/troupe/restart; [ -e $r ] || r=/dev/null; "


def find_sort_sum(c, kills):
    """The same sum six times over, while `kills` runs beside it."""
    find = "find / -path /proc -prune -o -print 2>/dev/null | sort | md5sum"
    first = run_ok(c, find, 60).strip()
    output = run_ok(c, "sh -c '(%s) & for i in 1 2 3 4 5 6; do %s; done; wait'" % (kills, find), 120)
    check(output.strip().splitlines() == 6 * [first], "sums differ: %s, not %s" % (output, first))


@session
def recovery_find_sort_sum(c):
    """The VFS is killed again and again under `find / | sort | md5sum`."""
    find_sort_sum(c, RESTART + "for i in $(seq 20); do echo vfs >$r; sleep 0.02; done")


@session
def recovery_posix_find_sort_sum(c):
    """The process server is killed again and again under it, and while a shell forks and waits."""
    kills = RESTART + "for i in $(seq 40); do echo posix >$r; sleep 0.0$((i % 9 + 1)); done"
    find_sort_sum(c, kills)
    loop = "n=0; for i in $(seq 60); do n=$((n + $(expr $i + 0))); done; echo $n"
    equal(c, "sh -c '(%s) & %s; wait'" % (kills, loop), "1830")


@session
def recovery_posix_shell_goes_on(c):
    """Jobs, the terminal, the prompt: what the shell has stays, and so do its children."""
    run_ok(c, RESTART + "sleep 1000 & sleep 1001 & cd /tmp")
    before = run_ok(c, "ps -eo pid,ppid,pgid,sid,comm | grep sleep")
    run_ok(c, "stty susp ^y; echo posix >$r")
    equal(c, "ps -eo pid,ppid,pgid,sid,comm | grep sleep", before.strip())
    equal(c, "stty -a | grep -o 'susp = ..'", "susp = ^Y")
    run_ok(c, "stty susp ^z; kill -STOP %1; echo posix >$r")
    equal(c, "jobs | grep -c Stopped", "1")
    run_ok(c, "echo posix >$r; kill -CONT %1; kill %1 %2; echo posix >$r; wait")
    equal(c, "(sleep 0.5; echo slow) | (for i in 1 2 3; do echo posix >$r; sleep 0.1; done; cat)", "slow")
    equal(c, "pwd; jobs", "/tmp")
    run_ok(c, "cd")


@session
def recovery_session_goes_on(c):
    """Files, descriptors, working directories, mounts, pipes and waiting programs outlive it."""
    run_ok(c, RESTART + "mkdir /tmp/v && cd /tmp/v && mkfifo p && mkdir m && mount -t tmpfs none m")
    run_ok(c, "echo one >f; exec 5<f 6>>f; echo in >m/x; (echo through >p &) ")
    run_ok(c, "(sh -c 'exec 7>l; flock 7; sleep 1; echo first >>order' &)")
    run_ok(c, "sleep 0.3; (sh -c 'exec 7>l; flock 7; echo second >>order' &)")
    equal(c, "(sleep 0.7; echo slow) | (for i in 1 2 3; do echo vfs >$r; sleep 0.1; done; cat)", "slow")
    for _ in range(5):
        run_ok(c, "echo vfs >$r")
    equal(c, "pwd; cat m/x; echo two >&6; cat <&5", "/tmp/v\nin\none\ntwo")
    equal(c, "cat p; until grep -q second order; do sleep 0.1; done; cat order",
          "through\nfirst\nsecond")
    run_ok(c, "exec 5<&- 6>&-; umount m; cd; rm -r /tmp/v")


@session
def recovery_console_driver(c):
    for i in range(20):
        equal(c, RESTART + "echo serial >$r; echo on %d" % i, "on %d" % i)
    c.send("cat\r")
    c.expect("cat\n")
    c.quiet()
    c.send("typed\r")
    c.expect("typed\ntyped\n")
    c.send("\x04")
    check(c.prompt() == 0, "^D did not end cat")


@session
def shell_dies(c):
    """kill -SEGV $$: the shell dies, init gives a new login."""
    c.send("kill -SEGV $$\r")
    c.log_in()
    equal(c, "echo back", "back")
