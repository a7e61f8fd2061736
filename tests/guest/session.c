/*
 * Sessions and process groups.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t child_that_pauses(void)
{
	pid_t pid = FORK();

	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

static void end(pid_t pid)
{
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_SIGNALED(pid, SIGKILL);
}

TEST(session, new_session)
{
	SUBPROCESS {
		pid_t old = getsid(0);

		CHECK_EQ(setsid(), getpid());
		CHECK_EQ(getsid(0), getpid());
		CHECK_EQ(getpgrp(), getpid());
		CHECK_NE(getsid(0), old);
		CHECK_ERRNO(setsid(), EPERM); /* a leader already */
		CHECK_ERRNO(setpgid(0, 0), EPERM);
		SUBPROCESS {
			CHECK_EQ(getsid(0), getppid());
			CHECK_EQ(getpgrp(), getppid());
			CHECK_OK(setpgid(0, 0));
			CHECK_ERRNO(setsid(), EPERM); /* leads a group now */
		}
	}
}

TEST(session, group_leader_may_not_start_one)
{
	CHECK_EQ(getpgrp(), getpid());
	CHECK_ERRNO(setsid(), EPERM);
}

TEST(session, groups)
{
	pid_t a = child_that_pauses(), b = child_that_pauses();

	CHECK_EQ(getpgid(a), getpgrp());
	CHECK_OK(setpgid(a, 0));
	CHECK_EQ(getpgid(a), a);
	CHECK_OK(setpgid(b, a));
	CHECK_EQ(getpgid(b), a);
	CHECK_OK(setpgid(b, getpgrp()));
	CHECK_EQ(getpgid(b), getpgrp());
	CHECK_EQ(getpgid(0), getpgrp());
	CHECK_OK(setpgid(a, a)); /* once more, to no effect */
	end(a);
	CHECK_ERRNO(setpgid(b, a), EPERM); /* that group is gone */
	end(b);
}

TEST(session, group_lives_on_without_its_leader)
{
	pid_t leader = child_that_pauses(), member = child_that_pauses();

	CHECK_OK(setpgid(leader, 0));
	CHECK_OK(setpgid(member, leader));
	end(leader);
	CHECK_EQ(getpgid(member), leader);
	CHECK_OK(kill(-leader, 0));
	pid_t third = child_that_pauses();
	CHECK_OK(setpgid(third, leader));
	CHECK_OK(kill(-leader, SIGKILL));
	CHECK_SIGNALED(member, SIGKILL);
	CHECK_SIGNALED(third, SIGKILL);
}

HELPER(wait_for_signal)
{
	if (write(3, "x", 1) != 1)
		return 1;
	for (;;)
		pause();
}

TEST(session, setpgid_errors)
{
	struct gate gate;
	pid_t pid = child_that_pauses();

	CHECK_ERRNO(setpgid(999999999, 0), ESRCH);
	CHECK_ERRNO(setpgid(getppid(), 0), ESRCH); /* not a child */
	CHECK_ERRNO(setpgid(pid, -1), EINVAL);
	CHECK_ERRNO(setpgid(pid, 999999999), EPERM);
	CHECK_ERRNO(getpgid(999999999), ESRCH);
	CHECK_ERRNO(getpgid(-1), ESRCH);
	CHECK_ERRNO(getsid(999999999), ESRCH);
	end(pid);
	/* After its exec a child is out of reach. */
	CHECK_OK(pipe(gate.fd));
	CHECK_EQ(gate.fd[0], 3);
	pid = FORK();
	if (pid == 0) {
		char *argv[] = { "x", "--helper=wait_for_signal", NULL };

		CHECK_OK(dup2(gate.fd[1], 3));
		execv(test_self, argv);
		FAIL("execv: errno %d", errno);
	}
	gate_pass(&gate);
	CHECK_ERRNO(setpgid(pid, 0), EACCES);
	end(pid);
}

TEST(session, other_sessions_are_out_of_reach)
{
	struct gate ready;

	gate_init(&ready);
	pid_t pid = FORK();
	if (pid == 0) {
		CHECK_OK(setsid());
		gate_open(&ready);
		for (;;)
			pause();
	}
	gate_pass(&ready);
	CHECK_ERRNO(setpgid(pid, 0), EPERM);
	CHECK_ERRNO(setpgid(pid, getpgrp()), EPERM);
	pid_t other = child_that_pauses();
	CHECK_ERRNO(setpgid(other, pid), EPERM);
	CHECK_EQ(getsid(pid), pid);
	end(pid);
	end(other);
}

TEST(session, number_of_a_group_is_not_reused_for_a_process)
{
	struct gate ready;
	pid_t leader = FORK();

	gate_init(&ready);
	if (leader == 0)
		for (;;)
			pause();
	pid_t member = child_that_pauses();
	CHECK_OK(setpgid(leader, 0));
	CHECK_OK(setpgid(member, leader));
	end(leader);
	for (int i = 0; i < 100; i++) {
		pid_t pid = FORK();

		if (pid == 0)
			_exit(0);
		CHECK_NE(pid, leader);
		CHECK_EXITED(pid, 0);
	}
	end(member);
}
