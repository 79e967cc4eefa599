// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Is this process recorded, and when does it end, fork or exec?
 *
 * The environment names the recorder's memory as a file of /proc, which is
 * mapped and closed at once: the program sees no descriptor.  After an exec
 * what the program before had not handed over is handed over here.
 */
#include "tracers/hooks/runtime.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FORK_TRIES 5 /* of 100 ms: how long a parent waits for its child */

enum {
	NEW,
	STARTING,
	STARTED
};

static int state;
static pthread_key_t key;
static bool keyed;
static uint32_t fork_seen;

/* Offsets of the C library's rseq area, from 2.35 on. */
extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));
static __thread uint64_t rseq_dummy __attribute__((tls_model("initial-exec")));

static void
find_rseq(void)
{
	if (&__rseq_size && __rseq_size)
		hooks_rseq = __rseq_offset + 8;
	else
		hooks_rseq = (char *)&rseq_dummy -
			     (char *)__builtin_thread_pointer();
}

/* PID:FD:TOKEN with leading zeros -> /proc/PID/fd/FD, TOKEN */
static bool
parse(const char *text, char *path, size_t bytes, uint64_t *token)
{
	static const char *const front[] = { "/proc/", "/fd/" };
	char *to = path;

	for (size_t i = 0; i < 2; i++) {
		const char *colon = strchr(text, ':');

		while (*text == '0')
			text++;
		if (!colon || colon <= text ||
		    (size_t)(to - path) + (size_t)(colon - text) > bytes - 16)
			return false;
		to = mempcpy(stpcpy(to, front[i]), text,
			     (size_t)(colon - text));
		text = colon + 1;
	}
	*to = '\0';
	*token = 0;
	for (; *text >= '0' && *text <= '9'; text++)
		*token = 10 * *token + (uint64_t)(*text - '0');
	return true;
}

static struct channel *
channel_map(const char *text)
{
	struct channel *channel;
	uint64_t token;
	char path[64];
	int fd;

	if (!parse(text, path, sizeof(path), &token))
		return NULL;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	channel = mmap(NULL, CHANNEL_ALL_BYTES, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_NORESERVE, fd, 0);
	close(fd);
	if (channel == MAP_FAILED)
		return NULL;
	if (channel->magic == CHANNEL_MAGIC && channel->token == token &&
	    channel->bytes == sizeof(*channel) && !channel->stop &&
	    (!channel->no_follow || channel->root == (uint32_t)getpid()))
		return channel;
	munmap(channel, CHANNEL_ALL_BYTES);
	return NULL;
}

/* The program that this process was before: its threads are no more. */
static void
bury_before(struct channel *channel, uint32_t pid)
{
	for (uint32_t i = 0; i < CHANNEL_LINES; i++)
		if (channel->line[i].pid == pid)
			channel_bury(channel, &channel->line[i]);
}

static void
thread_ended(void *unused)
{
	uint64_t mask = hooks_signals_block();

	(void)unused;
	hooks_leave(CHANNEL_END, false);
	hooks_signals_restore(mask);
}

void
hooks_thread_started(void)
{
	if (keyed)
		pthread_setspecific(key, hooks_self.channel);
}

/* What came before the fork has the lower numbers. */
static void
fork_prepare(void)
{
	uint64_t mask = hooks_signals_block();

	if (hooks_self.channel) {
		hooks_commit(0, false);
		fork_seen = __atomic_load_n(&hooks_self.channel->forks,
					    __ATOMIC_SEQ_CST);
	}
	hooks_signals_restore(mask);
}

/* And what comes behind the higher ones: the child speaks first. */
static void
fork_parent(void)
{
	struct channel *channel = hooks_self.channel;

	for (int i = 0; channel && !channel->no_follow && i < FORK_TRIES; i++)
		if (__atomic_load_n(&channel->forks, __ATOMIC_SEQ_CST) !=
			    fork_seen ||
		    !hooks_wait(&channel->forks, fork_seen))
			return;
}

static void
fork_child(void)
{
	struct channel *channel = hooks_self.channel;
	uint64_t mask;

	hooks_line = NULL; /* the parent's */
	if (!channel)
		return;
	if (channel->no_follow) {
		hooks_self.channel = NULL;
		hooks_inactive = 1;
		return;
	}
	mask = hooks_signals_block();
	hooks_self.parent = hooks_self.pid;
	hooks_self.pid = (uint32_t)getpid();
	hooks_self.flags = CHANNEL_FORKED;
	hooks_self.commits = 0;
	hooks_self.lost = 0;
	hooks_room();
	hooks_commit(0, true);
	__atomic_fetch_add(&channel->forks, 1, __ATOMIC_SEQ_CST);
	hooks_wake(&channel->forks);
	hooks_signals_restore(mask);
}

static void
start(const char *text)
{
	struct channel *channel = channel_map(text);

	if (!channel)
		return;
	find_rseq();
	hooks_self.pid = (uint32_t)getpid();
	hooks_self.parent = (uint32_t)getppid();
	hooks_self.flags = CHANNEL_START;
	hooks_fetch = channel->fetch;
	bury_before(channel, hooks_self.pid);
	keyed = !pthread_key_create(&key, thread_ended);
	pthread_atfork(fork_prepare, fork_parent, fork_child);
	__atomic_store_n(&hooks_self.channel, channel, __ATOMIC_RELEASE);
}

/* The shared library's copy beside one in the program itself does nothing:
 * the program's hooks are the ones that are called. */
static bool
first_copy(void)
{
	extern void __tsan_init(void);
	extern void hooks_init_here(void) HOOKS_HIDDEN;

	return __tsan_init == hooks_init_here;
}

void
hooks_start(void)
{
	int expected = NEW;
	const char *text;

	if (__atomic_load_n(&state, __ATOMIC_ACQUIRE) == STARTED || !environ)
		return;
	if (!__atomic_compare_exchange_n(&state, &expected, STARTING, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		while (__atomic_load_n(&state, __ATOMIC_ACQUIRE) != STARTED)
			hooks_call(SYS_sched_yield, 0, 0, 0, 0);
		return;
	}
	text = getenv(CHANNEL_VARIABLE);
	if (text && first_copy())
		start(text);
	hooks_inactive = !hooks_self.channel;
	__atomic_store_n(&state, STARTED, __ATOMIC_RELEASE);
}

HOOKS_PUBLIC void
__tsan_init(void)
{
	if (!hooks_inactive)
		hooks_room();
}

extern void hooks_init_here(void)
	__attribute__((alias("__tsan_init"))) HOOKS_HIDDEN;

static __attribute__((constructor(101))) void
program_starts(void)
{
	if (first_copy())
		__tsan_init();
}

static __attribute__((destructor)) void
program_ends(void)
{
	uint64_t mask;

	if (!hooks_line)
		return;
	mask = hooks_signals_block();
	hooks_commit(0, true);
	hooks_signals_restore(mask);
}
