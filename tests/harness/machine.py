# SPDX-License-Identifier: MIT
"""The virtual machine: which QEMU command line boots what.

Machine holds every choice there is; argv() turns it into a command line. Everything that starts
QEMU (make run, debug, test, bench) goes through here, so a machine that a test used can be had
by hand with the same words.
"""
import os
import secrets
import socket
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
QEMU = os.environ.get("QEMU_SYSTEM", "qemu-system-x86_64")

# Boot sector for the KVM trial: mov dx,0xf4; mov al,0x10; out dx,al; cli; hlt. QEMU's
# isa-debug-exit makes status 2*value+1 of it.
TRIAL_SECTOR = bytes([0xBA, 0xF4, 0, 0xB0, 0x10, 0xEE, 0xFA, 0xF4])
TRIAL_STATUS = 0x10 * 2 + 1


def kvm_trial(build):
    """Whether KVM runs a guest here. /dev/kvm alone proves nothing: in a nested machine it can
    be opened and the guest then never runs an instruction."""
    try:
        with open("/proc/cpuinfo") as f:
            flags = next((line for line in f if line.startswith("flags")), "").split()
    except OSError:
        return False
    if not {"vmx", "svm"} & set(flags) or not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    with open("/proc/sys/kernel/random/boot_id") as f:
        boot_id = f.read().strip()
    answer = os.path.join(build, "kvm-trial")
    if os.path.exists(answer):
        with open(answer) as f:
            words = f.read().split()
        if words[:1] == [boot_id]:
            return words[1] == "works"
    sector = os.path.join(build, "kvm-trial.img")
    with open(sector, "wb") as f:
        f.write(TRIAL_SECTOR.ljust(510, b"\0") + b"\x55\xAA")
    command = [QEMU, "-accel", "kvm", "-nodefaults", "-display", "none", "-no-reboot",
               "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
               "-drive", "format=raw,if=floppy,file=" + sector]
    try:
        works = subprocess.run(command, timeout=5, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL).returncode == TRIAL_STATUS
    except subprocess.TimeoutExpired:
        works = False
    with open(answer, "w") as f:
        f.write("%s %s\n" % (boot_id, "works" if works else "fails"))
    return works


class Machine:
    """One machine. build is the build folder; the rest are the words of the command line."""

    def __init__(self, build="build", machine="q35", cpu=None, smp=1, mem=256, accel="auto",
                 thread="multi", icount=False, linux=False, kernel=None, initrd=None, append="",
                 seed=None, net=None, extra=()):
        self.build = build
        self.machine = machine
        self.smp = 1 if icount else smp
        self.mem = mem
        self.icount = icount
        self.linux = linux
        self.thread = "single" if icount else thread
        self.accel = self.choose_accel(accel)
        self.cpu = cpu or ("host" if self.accel == "kvm" else "max")
        self.kernel = kernel or (linux_kernel(build) if linux
                                 else os.path.join(build, "kernel/troupe.elf"))
        self.initrd = initrd or (linux_archive(build) if linux
                                 else os.path.join(build, "boot.cpio"))
        self.append = append
        self.seed = seed or ("5eed" * 16 if icount else secrets.token_hex(32))
        self.net = net          # QEMU's -netdev without its id; None: no network card
        self.extra = list(extra)

    def choose_accel(self, wanted):
        if wanted == "auto":
            return "kvm" if not self.icount and kvm_trial(self.build) else "tcg"
        return wanted

    def describe(self):
        words = {"kvm": "KVM", "tcg": "TCG (emulated: no usable KVM here)"}[self.accel]
        if self.icount:
            words = "TCG, one instruction a nanosecond"
        return "%s, %s, %d CPU%s, %d MiB" % (words, self.machine, self.smp,
                                             "s" if self.smp > 1 else "", self.mem)

    def command_line(self):
        words = []
        if self.linux:
            # Tuned, so that nobody can say the rival was hobbled.
            words = ["console=ttyS0", "rdinit=/sbin/init", "quiet", "panic=-1", "mitigations=off",
                     "init_on_alloc=0", "no5lvl"]
        else:
            words = ["seed=" + self.seed]
        return " ".join(filter(None, words + [self.append]))

    def argv(self, serial="stdio"):
        """serial: what QEMU's -serial gets: "mon:stdio" for people, "stdio" for programs."""
        cpu = self.cpu
        if self.linux and cpu == "max":
            cpu = "max,-erms"
        microvm = self.machine.startswith("microvm")
        name = self.machine
        if microvm and not self.linux and "acpi=" not in name:
            name += ",acpi=off"     # then QEMU names its virtio devices on the command line
        argv = [QEMU, "-no-user-config", "-nodefaults", "-display", "none", "-no-reboot",
                "-M", name, "-cpu", cpu, "-smp", str(self.smp), "-m", str(self.mem)]
        if self.icount:
            argv += ["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off",
                     "-rtc", "clock=vm,base=2024-01-01", "-seed", "1"]
        elif self.accel == "tcg":
            argv += ["-accel", "tcg,thread=" + self.thread]
        else:
            argv += ["-accel", "kvm"]
        argv += ["-serial", serial, "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
                 "-object", "rng-builtin,id=rng0"]
        if microvm:
            argv += ["-global", "virtio-mmio.force-legacy=false",
                     "-device", "virtio-rng-device,rng=rng0"]
        else:
            argv += ["-device", "virtio-rng-pci,rng=rng0,disable-legacy=on"]
        if self.net:
            # No boot ROM: nothing is booted over the network, and it takes time to load.
            argv += ["-netdev", self.net + ",id=net0", "-device",
                     "virtio-net-device,netdev=net0" if microvm
                     else "virtio-net-pci,netdev=net0,disable-legacy=on,romfile="]
        argv += ["-kernel", self.kernel, "-initrd", self.initrd, "-append", self.command_line()]
        return argv + self.extra


def user_net(ssh_port=None):
    """QEMU's own network, without any privilege: the guest is 10.0.2.15, this host 10.0.2.2, and
    ssh_port on 127.0.0.1 here leads to the guest's port 22."""
    return "user" + (",hostfwd=tcp:127.0.0.1:%d-:22" % ssh_port if ssh_port else "")


def free_port(first=0, last=0):
    """A free TCP port of 127.0.0.1: the first from first to last, or any; None if there is none."""
    for port in range(first, max(first, last) + 1):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
                return s.getsockname()[1]
            except OSError:
                pass
    return None


def linux_kernel(build):
    """Debian's cloud kernel, unpacked from its package: the oracle and the rival."""
    path = os.path.join(build, "linux/vmlinuz")
    if not os.path.exists(path):
        sys.exit("no %s: `make %s` first" % (path, path))
    return path


def linux_archive(build):
    """The boot archive with the drivers that Linux has as modules."""
    path, source = os.path.join(build, "linux/boot.cpio"), os.path.join(build, "boot.cpio")
    if not os.path.exists(path) or os.path.getmtime(path) < os.path.getmtime(source):
        subprocess.run([os.path.join(build, "tools/mkarchive"), "-t", "sysroot/rootfs/table",
                        "-o", path] + [os.path.join(build, folder)
                                       for folder in ("rootfs", "ssh/root", "linux/root")],
                       cwd=TOP, check=True)
    return path


def add_options(parser):
    """The command-line options that make a Machine; see from_options()."""
    parser.add_argument("--machine", default="q35", help="q35, pc or microvm (q35)")
    parser.add_argument("--cpu", help="QEMU's CPU model (max)")
    parser.add_argument("--smp", type=int, default=2, help="how many CPUs (2)")
    parser.add_argument("--mem", type=int, default=256, help="memory in MiB (256)")
    parser.add_argument("--accel", default="auto", choices=["auto", "kvm", "tcg"])
    parser.add_argument("--thread", default="multi", choices=["multi", "single"],
                        help="TCG with one host thread per CPU, or one for all")
    parser.add_argument("--icount", action="store_true", help="deterministic time, one CPU")
    parser.add_argument("--linux", action="store_true", help="Debian's kernel instead of ours")
    parser.add_argument("--kernel", help="another kernel image")
    parser.add_argument("--initrd", help="another boot archive")
    parser.add_argument("--append", default="", help="more kernel command line: shortcuts=off")
    parser.add_argument("--seed", help="entropy for the guest, in hex (fresh)")
    parser.add_argument("--ssh-port", type=int, default=None,
                        help="port of 127.0.0.1 that leads to the guest's SSH (2222, or the next "
                        "free one)")
    parser.add_argument("--net", default="user", help="QEMU's -netdev, without its id; or none")


def from_options(options, extra=()):
    net = None if options.net == "none" else options.net
    if net == "user":
        net = user_net(options.ssh_port)
    return Machine(options.build, options.machine, options.cpu, options.smp, options.mem,
                   options.accel, options.thread, options.icount, options.linux, options.kernel,
                   options.initrd, options.append, options.seed, net, extra)
