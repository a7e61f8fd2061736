# SPDX-License-Identifier: MIT
# Makes from syscalls.def, by the variable `what`:
#   shortcuts    shortcuts.h: the set of numbers that have a kernel shortcut
#   names        syscall_names.h: the name of each number
#   conformance  doc/conformance.md: who serves each call, and what of it is not supported
/^S\(/ {
	line = $0
	sub(/^S\(/, "", line)
	note = line
	sub(/^[^"]*"/, "", note)
	sub(/"\)[^"]*$/, "", note)
	split(line, f, /, */)
	n = f[1] + 0
	name[n] = f[2]
	home[n] = f[3]
	shortcut[n] = f[4]
	remark[n] = note
	if (n > last)
		last = n
}
END {
	if (what == "shortcuts")
		shortcuts()
	else if (what == "names")
		names()
	else
		conformance()
}
function bits(word,	v, i, digit, out) {
	out = ""
	for (v = 15; v >= 0; v--) {
		digit = 0
		for (i = 3; i >= 0; i--)
			digit = digit * 2 + (shortcut[word * 64 + v * 4 + i] != "" && shortcut[word * 64 + v * 4 + i] != "NONE")
		out = out substr("0123456789abcdef", digit + 1, 1)
	}
	return "0x" out
}
function shortcuts(	w) {
	print "/* Made from posix/syscall/syscalls.def. */"
	print "static const struct srv_numbers syscall_shortcuts = { {"
	for (w = 0; w < 8; w++)
		print "\t" bits(w) "ull,"
	print "} };"
}
function names(	n) {
	print "/* Made from posix/syscall/syscalls.def. */"
	print "static const char *const syscall_names[512] = {"
	for (n = 0; n <= last; n++)
		if (n in name)
			print "\t[" n "] = \"" name[n] "\","
	print "};"
}
function server(n) {
	if (home[n] == "PS") return "process server"
	if (home[n] == "VFS") return "VFS"
	if (home[n] == "NET") return "network server"
	if (home[n] == "FD") return "the descriptor's"
	return "-"
}
function conformance(	n, served, total) {
	for (n = 0; n <= last; n++)
		if (n in name) {
			total++
			served += home[n] != "NONE" && remark[n] !~ /^not yet/
		}
	print "# Linux x86-64 system calls"
	print ""
	print "Made from `posix/syscall/syscalls.def` by `posix/syscall/generate.awk`; do not edit."
	print served " of " total " calls are served. The others return ENOSYS and are logged once with their name and program."
	print "Where a kernel operation is named, the kernel tries to finish the call by itself first."
	print ""
	print "| number | call | server | kernel operation | not supported |"
	print "| ---: | --- | --- | --- | --- |"
	for (n = 0; n <= last; n++)
		if (n in name)
			print "| " n " | " name[n] " | " server(n) " | " (shortcut[n] == "NONE" ? "" : shortcut[n]) " | " \
				(home[n] == "NONE" ? "the call" : remark[n]) " |"
}
