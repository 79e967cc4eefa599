// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Several processes that share, for kernel-sharing.sh.  They stand still while
 * the parent looks at them twice; the first look makes it touch all that it will:
 *
 *	share-programs library K LOADER DIR   K times this program, exec'd by this
 *	                                      loader with the libraries of DIR
 *	share-programs memory K PAGES         K forked children that touch the
 *	                                      same shared pages, each with other
 *	                                      rights
 *
 * Prints, for each child: "child PID RSS PSS PRIVATE TABLES ANONYMOUS", in bytes,
 * as smaps has them, and copies its smaps to the file smaps.PID of the
 * directory that $SMAPS names; the last K lines count.
 */
#define _GNU_SOURCE 1
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILDREN 16
#define PAGE	 4096

struct child {
	pid_t pid;
	int ready, go; /* ends of pipes */
};

/* Wait to be let go, and end at once: no page more is touched. */
static void
stand_still(void)
{
	char byte = 0;

	syscall(SYS_getpid);
	/* A recorder hands out what was done when it is much: nothing of what
	 * came before waits for this process to end. */
	for (volatile unsigned i = 0; i < 3000000; i++)
		;
	syscall(SYS_write, 1, &byte, 1L);
	syscall(SYS_read, 0, &byte, 1L);
	syscall(SYS_exit_group, 0);
}

static void
touch_own(unsigned number)
{
	size_t pages = 20 + 10 * number;
	volatile char *heap = malloc(pages * PAGE);

	for (size_t i = 0; heap && i < pages; i++)
		heap[i * PAGE] = 1;
}

static void
touch_shared(volatile char *shared, size_t pages, unsigned number)
{
	int write = number % 2;

	if (!write)
		mprotect((void *)(uintptr_t)shared, pages * PAGE, PROT_READ);
	for (size_t i = 0; i < pages; i++) {
		if (write)
			shared[i * PAGE] = 1;
		else
			(void)shared[i * PAGE];
	}
}

/* A line of a file of /proc/PID that begins with name, in kB; all added up. */
static long
sum_of(pid_t pid, const char *file, const char *name)
{
	char path[64], line[512];
	long sum = 0;
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	in = fopen(path, "r");
	while (in && fgets(line, sizeof(line), in)) {
		if (!strncmp(line, name, strlen(name)))
			sum += strtol(line + strlen(name), NULL, 10);
	}
	if (in)
		fclose(in);
	return sum * 1024;
}

static void
copy_smaps(pid_t pid)
{
	const char *directory = getenv("SMAPS");
	char path[256], text[4096];
	FILE *in, *out;
	size_t got;

	if (!directory)
		return;
	snprintf(path, sizeof(path), "/proc/%d/smaps", (int)pid);
	in = fopen(path, "r");
	snprintf(path, sizeof(path), "%s/smaps.%d", directory, (int)pid);
	out = fopen(path, "w");
	while (in && out && (got = fread(text, 1, sizeof(text), in)))
		fwrite(text, 1, got, out);
	if (in)
		fclose(in);
	if (out)
		fclose(out);
}

static void
look(const struct child *child, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		pid_t pid = child[i].pid;

		copy_smaps(pid);
		printf("child %d %ld %ld %ld %ld %ld\n", (int)pid,
		       sum_of(pid, "smaps", "Rss:"),
		       sum_of(pid, "smaps", "Pss:"),
		       sum_of(pid, "smaps", "Private_Clean:") +
			       sum_of(pid, "smaps", "Private_Dirty:"),
		       sum_of(pid, "status", "VmPTE:"),
		       sum_of(pid, "smaps", "Anonymous:"));
	}
	fflush(stdout);
}

static void
run_child(unsigned number, char **argv, volatile char *shared, size_t pages)
{
	char text[16];

	if (!shared) {
		snprintf(text, sizeof(text), "%u", number);
		execl(argv[3], argv[3], "--library-path", argv[4], argv[0],
		      "child", text, (char *)NULL);
		_exit(127);
	}
	touch_shared(shared, pages, number);
	stand_still();
}

static int
start(struct child *child, unsigned number, char **argv, volatile char *shared,
      size_t pages)
{
	int ready[2], go[2];
	char byte;

	if (pipe2(ready, O_CLOEXEC) || pipe2(go, O_CLOEXEC))
		return -1;
	child->pid = fork();
	if (!child->pid) {
		dup2(go[0], 0);
		dup2(ready[1], 1);
		run_child(number, argv, shared, pages);
	}
	close(go[0]);
	close(ready[1]);
	child->ready = ready[0];
	child->go = go[1];
	return read(child->ready, &byte, 1) == 1 ? 0 : -1;
}

static int
let_go(const struct child *child, unsigned n)
{
	int status, failed = 0;

	for (unsigned i = 0; i < n; i++) {
		failed |= write(child[i].go, "", 1) != 1;
		failed |= waitpid(child[i].pid, &status, 0) != child[i].pid;
		failed |= status != 0;
	}
	return failed;
}

int
main(int argc, char **argv)
{
	struct child child[CHILDREN] = { 0 };
	unsigned n = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
	volatile char *shared = NULL;
	size_t pages = 0;

	if (argc > 2 && !strcmp(argv[1], "child")) {
		touch_own(n);
		stand_still();
	}
	if (argc < 4 || n > CHILDREN || (*argv[1] == 'l' && argc < 5))
		return 2;
	if (*argv[1] == 'm') {
		pages = strtoul(argv[3], NULL, 10);
		shared = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (shared == MAP_FAILED)
			return 1;
	}
	for (unsigned i = 0; i < n; i++)
		if (start(&child[i], i, argv, shared, pages))
			return 1;
	look(child, n);
	waitpid(child[0].pid, NULL, WNOHANG);
	look(child, n);
	return let_go(child, n);
}
