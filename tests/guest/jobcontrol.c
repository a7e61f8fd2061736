/*
 * Job control by signals: stopping and continuing groups, and orphaned groups.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static void pause_for_ever(void)
{
	for (;;)
		pause();
}

TEST(jobcontrol, a_whole_job_stops_and_continues)
{
	pid_t job[3];
	int status;

	for (int i = 0; i < 3; i++) {
		job[i] = FORK();
		if (job[i] == 0)
			pause_for_ever();
		CHECK_OK(setpgid(job[i], job[0]));
	}
	CHECK_OK(kill(-job[0], SIGTSTP));
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(waitpid(job[i], &status, WUNTRACED), job[i]);
		CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTSTP);
	}
	CHECK_OK(kill(-job[0], SIGCONT));
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(waitpid(job[i], &status, WCONTINUED), job[i]);
		CHECK(WIFCONTINUED(status));
	}
	CHECK_OK(kill(-job[0], SIGTERM));
	for (int i = 0; i < 3; i++)
		CHECK_SIGNALED(job[i], SIGTERM);
}

static volatile sig_atomic_t count;

static void count_it(int sig)
{
	(void)sig;
	count++;
}

TEST(jobcontrol, stop_signals_can_be_handled)
{
	static const int sigs[] = { SIGTSTP, SIGTTIN, SIGTTOU };

	for (unsigned i = 0; i < LENGTH(sigs); i++) {
		handler_set(sigs[i], count_it, 0);
		CHECK_OK(kill(getpid(), sigs[i]));
	}
	CHECK_EQ(count, 3);
}

TEST(jobcontrol, each_stop_signal_is_named)
{
	static const int sigs[] = { SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU };
	int status;
	pid_t pid = FORK();

	if (pid == 0)
		pause_for_ever();
	for (unsigned i = 0; i < LENGTH(sigs); i++) {
		CHECK_OK(kill(pid, sigs[i]));
		CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
		CHECK_EQ(WSTOPSIG(status), sigs[i]);
		CHECK_OK(kill(pid, SIGCONT));
		CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
	}
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_SIGNALED(pid, SIGKILL);
}

TEST(jobcontrol, signals_wait_while_stopped)
{
	int status;
	pid_t pid = FORK();

	if (pid == 0) {
		handler_set(SIGUSR1, count_it, 0);
		raise(SIGSTOP);
		_exit(count);
	}
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK_OK(kill(pid, SIGUSR1));
	CHECK_OK(kill(pid, SIGUSR1));
	CHECK_EQ(waitpid(pid, &status, WNOHANG | WUNTRACED), 0);
	CHECK_OK(kill(pid, SIGCONT));
	CHECK_EXITED(pid, 1);
}

TEST(jobcontrol, stopped_process_can_be_terminated)
{
	int status;
	pid_t pid = FORK();

	if (pid == 0)
		pause_for_ever();
	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK_OK(kill(pid, SIGTERM)); /* taken when it continues */
	CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
	CHECK_OK(kill(pid, SIGCONT));
	CHECK_SIGNALED(pid, SIGTERM);
}

static void count_continue(int sig)
{
	(void)sig;
	count += 10;
}

TEST(jobcontrol, continue_handler_runs)
{
	int status;
	pid_t pid = FORK();

	if (pid == 0) {
		handler_set(SIGCONT, count_continue, 0);
		raise(SIGSTOP);
		_exit(count);
	}
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK_OK(kill(pid, SIGCONT));
	CHECK_EXITED(pid, 10);
}

/*
 * A group is orphaned when no member has a parent in another group of the same session. The child
 * of a session leader in a group of its own is not; once the leader is gone, it is.
 */
TEST(jobcontrol, orphaned_groups_are_not_stopped_by_the_terminal)
{
	SUBPROCESS {
		CHECK_OK(setsid());
		/* A session leader's own group is orphaned: its parent is in another session. */
		CHECK_OK(kill(getpid(), SIGTSTP));
		CHECK_OK(kill(getpid(), SIGTTIN));
		CHECK_OK(kill(getpid(), SIGTTOU));
		pid_t pid = FORK();
		int status;
		if (pid == 0) {
			CHECK_OK(setpgid(0, 0));
			raise(SIGTSTP);
			_exit(4);
		}
		/* This one can be stopped, for its parent could continue it. */
		CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
		CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTSTP);
		CHECK_OK(kill(pid, SIGCONT));
		CHECK_EXITED(pid, 4);
	}
}

TEST(jobcontrol, sigstop_stops_orphans_too)
{
	int status;
	pid_t pid = FORK();

	if (pid == 0) {
		CHECK_OK(setsid());
		raise(SIGSTOP);
		_exit(6);
	}
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status));
	CHECK_OK(kill(pid, SIGCONT));
	CHECK_EXITED(pid, 6);
}

/* The group that becomes orphaned while a member is stopped gets SIGHUP and SIGCONT. */
TEST(jobcontrol, newly_orphaned_stopped_group_is_hung_up)
{
	struct gate stopped, report;

	gate_init(&stopped);
	gate_init(&report);
	pid_t leader = FORK();
	if (leader == 0) {
		CHECK_OK(setsid());
		pid_t job = FORK();
		int status;

		if (job == 0) {
			CHECK_OK(setpgid(0, 0));
			handler_set(SIGHUP, count_it, 0);
			handler_set(SIGCONT, count_continue, 0);
			raise(SIGSTOP);
			while (count < 11)
				usleep(1000);
			gate_open(&report);
			_exit(0);
		}
		CHECK_EQ(waitpid(job, &status, WUNTRACED), job);
		CHECK(WIFSTOPPED(status));
		gate_open(&stopped);
		_exit(0);
	}
	gate_pass(&stopped);
	CHECK_EXITED(leader, 0);
	gate_pass(&report);
}

TEST(jobcontrol, newly_orphaned_running_group_is_left_alone)
{
	struct gate ready, go, report;
	int *seen = map_shared(PAGE);

	gate_init(&ready);
	gate_init(&go);
	gate_init(&report);
	pid_t leader = FORK();
	if (leader == 0) {
		CHECK_OK(setsid());
		if (FORK() == 0) {
			CHECK_OK(setpgid(0, 0));
			handler_set(SIGHUP, count_it, 0);
			gate_open(&ready);
			gate_pass(&go);
			*seen = count + 100;
			gate_open(&report);
			_exit(0);
		}
		gate_pass(&ready);
		_exit(0);
	}
	CHECK_EXITED(leader, 0);
	gate_open(&go);
	gate_pass(&report);
	CHECK_EQ(*seen, 100);
}

TEST(jobcontrol, state_is_shown)
{
	char path[40], text[256], state;
	int status;
	pid_t pid = FORK();

	if (pid == 0)
		pause_for_ever();
	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	sprintf(path, "/proc/%d/stat", pid);
	text[file_read(path, text, sizeof(text) - 1)] = 0;
	CHECK_EQ(sscanf(text, "%*d (%*[^)]) %c", &state), 1);
	CHECK_EQ(state, 'T');
	CHECK_OK(kill(pid, SIGKILL));
	siginfo_t info;
	CHECK_OK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	text[file_read(path, text, sizeof(text) - 1)] = 0;
	CHECK_EQ(sscanf(text, "%*d (%*[^)]) %c", &state), 1);
	CHECK_EQ(state, 'Z');
	CHECK_SIGNALED(pid, SIGKILL);
	CHECK_EQ(access(path, F_OK), -1);
}
