// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Trees of processes that fork, write, map, protect and end as a seed says, 30,000
 * operations each: the running kernel's faults of each operation, process by
 * process, and page-table bytes after each call, against the model's.
 *
 * The processes take turns, one operation run each, handed on through shared
 * memory; who ends is waited for until its memory is gone, as the next write
 * elsewhere may then find itself the only owner.
 */
#include "models/memory/random.h"
#include "tests/kernel-steps.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PAGES	  1536		/* of the arena: 6 MiB, four PTE tables */
#define BASE	  UINT64_C(300) /* not aligned to a table */
#define PROCESSES 48		/* in all */
#define ALIVE	  8
#define NOBODY	  255

struct member {
	uint8_t allowed[PAGES]; /* rights of each page, 0: not mapped */
	pid_t pid;
	bool alive;
};

/* In shared memory, present in all. */
struct tree {
	uint8_t turn;
	unsigned members, alive;
	uint64_t seed, left; /* operations */
	pid_t ending;	     /* wait until its memory is gone */
	struct member member[PROCESSES];
};

static struct tree *tree;

static uint64_t
below(uint64_t bound)
{
	return random_below(&tree->seed, bound);
}

static void
allow(uint8_t me, uint64_t page, uint64_t pages, int rights)
{
	memset(&tree->member[me].allowed[page], rights, pages);
}

static bool
is_mapped(uint8_t me, uint64_t page, uint64_t pages)
{
	for (uint64_t i = page; i < page + pages; i++)
		if (!tree->member[me].allowed[i])
			return false;
	return true;
}

static uint64_t
offset_of(uint64_t page)
{
	return (BASE + page) * PAGE;
}

static void
do_map(uint8_t me, uint64_t page, uint64_t pages)
{
	const int kinds[] = { MAP_PRIVATE, MAP_PRIVATE, MAP_SHARED };
	int flags = kinds[below(3)];
	int rights = PROT_READ | (below(4) ? PROT_WRITE : 0);
	uint32_t file = (uint32_t)below(4);
	bool done;

	if (file < 2) {
		pages = pages < STEPS_FILE_PAGES ? pages : STEPS_FILE_PAGES;
		done = file_at(offset_of(page), pages * PAGE, rights, flags,
			       file, below(STEPS_FILE_PAGES - pages + 1));
	} else {
		done = map_at(offset_of(page), pages * PAGE, rights, flags);
	}
	if (done)
		allow(me, page, pages, rights);
}

static void
do_call(uint8_t me)
{
	uint64_t page = below(PAGES), pages = 1 + below(below(3) ? 60 : 700);
	int rights;

	pages = pages < PAGES - page ? pages : PAGES - page;
	switch (below(5)) {
	case 0:
	case 1:
		do_map(me, page, pages);
		break;
	case 2:
		if (unmap_at(offset_of(page), pages * PAGE))
			allow(me, page, pages, 0);
		break;
	case 3:
		rights = PROT_READ | (below(2) ? PROT_WRITE : 0);
		if (is_mapped(me, page, pages) &&
		    protect_at(offset_of(page), pages * PAGE, rights))
			allow(me, page, pages, rights);
		break;
	default:
		if (is_mapped(me, page, pages))
			advise_at(offset_of(page), pages * PAGE, MADV_DONTNEED);
	}
}

static void
do_touches(uint8_t me)
{
	uint64_t page = below(PAGES), run = 1 + below(below(3) ? 6 : 60);
	const uint8_t *allowed = tree->member[me].allowed;

	for (; run && page < PAGES && tree->left; run--, page++) {
		if (!allowed[page])
			continue;
		tree->left--;
		touch(offset_of(page), allowed[page] & PROT_WRITE && below(2));
	}
}

/* In the child: its number, which it runs as from now on; else me. */
static uint8_t
do_fork(uint8_t me)
{
	uint8_t number = (uint8_t)tree->members++;
	struct member *child = &tree->member[number];

	memcpy(child->allowed, tree->member[me].allowed, PAGES);
	child->alive = true;
	tree->alive++;
	if (!fork_beside())
		return me;
	child->pid = getpid();
	return number;
}

static void
wait_for_end(pid_t pid)
{
	char path[32], text[256], state;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	for (int i = 0; i < 10000; i++) {
		FILE *file = fopen(path, "re");
		const char *at;

		if (!file)
			return;
		at = fgets(text, sizeof(text), file) ? strrchr(text, ')')
						     : NULL;
		state = at && at[1] ? at[2] : 'X';
		fclose(file);
		if (state == 'Z' || state == 'X')
			return;
		usleep(200);
	}
}

static void
hand_on(void)
{
	unsigned n = tree->alive ? (unsigned)below(tree->alive) : 0;

	for (unsigned i = 0; i < tree->members; i++)
		if (tree->member[i].alive && !n--) {
			__atomic_store_n(&tree->turn, (uint8_t)i,
					 __ATOMIC_RELEASE);
			return;
		}
	__atomic_store_n(&tree->turn, NOBODY, __ATOMIC_RELEASE);
}

static void
end_member(uint8_t me)
{
	tree->member[me].alive = false;
	tree->alive--;
	tree->ending = getpid();
	/* Noted before another may run. */
	hand_on();
	exit_beside();
}

/* One turn; returns who this process is then. */
static uint8_t
take_turn(uint8_t me)
{
	uint64_t choice = below(40);

	if (tree->ending)
		wait_for_end(tree->ending);
	tree->ending = 0;
	steps_turn(me);
	if (choice == 0 && tree->members < PROCESSES && tree->alive < ALIVE)
		me = do_fork(me);
	else if (choice == 1 && me)
		end_member(me);
	else if (choice < 10)
		do_call(me);
	else
		do_touches(me);
	return me;
}

/* Until all operations are done; only the first process comes back. */
static void
run_member(uint8_t me)
{
	for (;;) {
		uint8_t before = me;

		while (__atomic_load_n(&tree->turn, __ATOMIC_ACQUIRE) != me)
			usleep(50);
		if (tree->left) {
			tree->left--;
			me = take_turn(me);
			/* A new child's turn is over when it is there. */
			if (me != before)
				continue;
			hand_on();
		} else if (me) {
			steps_turn(me);
			if (tree->ending)
				wait_for_end(tree->ending);
			end_member(me);
		} else if (tree->alive > 1) {
			hand_on();
		} else {
			return;
		}
	}
}

static void
run_tree(uint64_t seed, uint64_t operations)
{
	memset(tree, 0, sizeof(*tree));
	tree->seed = seed;
	tree->left = operations;
	tree->members = tree->alive = 1;
	tree->member[0].alive = true;
	tree->member[0].pid = getpid();
	map_at(offset_of(0), PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	allow(0, 0, PAGES, PROT_READ | PROT_WRITE);
	run_member(0);
	if (tree->ending)
		wait_for_end(tree->ending);
	while (waitpid(-1, NULL, 0) > 0)
		;
}

/* A page that another part of the kernel holds locked is left out by
 * fault-around: a difference counts if it comes again. */
static void
test_trees(void **state)
{
	const struct paging_config config = { .policy = PAGES_4K,
					      .files.read_ahead = -1 };
	const char *seeds = getenv("FORK_SEEDS");
	uint64_t n = seeds ? strtoull(seeds, NULL, 10) : 5;

	(void)state;
	for (uint64_t seed = 1; seed <= n; seed++) {
		bool agrees = false;

		for (int tries = 0; tries < 8 && !agrees; tries++) {
			steps_reset();
			run_tree(seed, 30000);
			agrees = steps_agree(&config);
			print_message("seed %ju: %zu steps, %u processes%s\n",
				      (uintmax_t)seed, steps_count(),
				      tree->members, agrees ? "" : ", again");
		}
		assert_true(agrees);
	}
}

static const char *
set_up(void)
{
	const char *reason = steps_open();

	if (!reason)
		reason = steps_files();
	if (reason)
		return reason;
	tree = mmap(NULL, sizeof(*tree), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (tree == MAP_FAILED)
		return "no memory for the tree";
	return prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)
		       ? "huge pages cannot be switched off"
		       : NULL;
}

/* Shared memory and libraries have no tables in a child until it touches them: where
 * one of them ends just behind a border of 2M, a page that a child needs first of
 * all there is a table more than the model has.  So they lie where they always do. */
static void
fix_addresses(char *const argument[])
{
	int now = personality(0xffffffff);

	if (now == -1 || now & ADDR_NO_RANDOMIZE ||
	    personality((unsigned)now | ADDR_NO_RANDOMIZE) == -1)
		return;
	execv("/proc/self/exe", argument);
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_trees) };
	const char *reason;

	(void)argc;
	fix_addresses(argv);
	reason = set_up();
	if (reason) {
		printf("skipped: %s\n", reason);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
