// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * NUMA: what references cost, where frames go under each policy, copies of table
 * pages, pages that move, and what hwloc tells.
 */
#include "models/memory/frames.h"
#include "models/memory/numa-copies.h"
#include "models/memory/numa-hints.h"
#include "models/memory/numa.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)

struct world {
	struct numa *numa;
	struct frames *frames;
};

static struct world
world_of(struct numa_config config, uint64_t size_bytes)
{
	struct world world;
	struct frames_config frames = { .size_bytes = size_bytes };

	config.nodes = config.nodes ? config.nodes : 4;
	config.scan_bytes = config.scan_bytes ? config.scan_bytes : 256 << 20;
	config.scan_max_ns = 60000 * MS;
	assert_int_equal(numa_open(&world.numa, &config, 100), 0);
	frames.numa = world.numa;
	assert_int_equal(frames_open(&world.frames, &frames), 0);
	return world;
}

static void
close_world(struct world *world)
{
	frames_close(world->frames);
	numa_close(world->numa);
}

static unsigned
data_node(struct world *world, uint64_t page)
{
	uint64_t address;

	if (frames_take_data(world->frames, 12, page << 12, &address))
		return 99;
	return numa_node_of(world->numa, address);
}

static unsigned
table_node(struct world *world, unsigned level)
{
	uint64_t address;

	assert_int_equal(frames_take_table(world->frames, 12, level, 0,
					   &address),
			 0);
	return numa_node_of(world->numa, address);
}

static void
test_one_node_is_none(void **state)
{
	const struct numa_config config = { .nodes = 1 };
	struct numa *numa;

	(void)state;
	assert_int_equal(numa_open(&numa, &config, 100), 0);
	assert_null(numa);
}

static void
test_latencies(void **state)
{
	char distances[] = "10 20 31; 20 10 21; 31 21 10", load[] = "1 1 2.5";
	struct world world =
		world_of((struct numa_config){ .nodes = 3,
					       .distances = distances,
					       .load = load },
			 0);
	const uint32_t want[9] = {
		100, 200, 775, 200, 100, 525, 310, 210, 250
	};
	const uint8_t near[9] = { 0, 1, 2, 1, 0, 2, 2, 1, 0 };

	(void)state;
	assert_memory_equal(world.numa->latency, want, sizeof(want));
	assert_memory_equal(world.numa->near, near, sizeof(near));
	close_world(&world);
	/* without them 10 and 20, as Linux takes it */
	world = world_of((struct numa_config){ .nodes = 2, .latency = 90 }, 0);
	assert_int_equal(world.numa->latency[0], 90);
	assert_int_equal(world.numa->latency[1], 180);
	close_world(&world);
}

static void
test_data_policies(void **state)
{
	char bind[] = "1,3", weights[] = "3 1 0 2";
	struct world world = world_of((struct numa_config){ 0 }, 0);

	(void)state;
	for (uint32_t node = 0; node < 4; node++) {
		world.numa->node = node;
		assert_int_equal(data_node(&world, 7), node);
	}
	close_world(&world);
	world = world_of((struct numa_config){ .data = NUMA_INTERLEAVE }, 0);
	for (uint64_t page = 0; page < 64; page++)
		assert_int_equal(data_node(&world, page), page % 4);
	close_world(&world);
	world = world_of((struct numa_config){ .data = NUMA_INTERLEAVE,
					       .bind = bind },
			 0);
	for (uint64_t page = 0; page < 64; page++)
		assert_int_equal(data_node(&world, page), page % 2 ? 3 : 1);
	close_world(&world);
	world = world_of((struct numa_config){ .data = NUMA_PREFERRED,
					       .node = 2 },
			 0);
	world.numa->node = 0;
	assert_int_equal(data_node(&world, 7), 2);
	close_world(&world);
	world = world_of((struct numa_config){ .data = NUMA_WEIGHTED,
					       .weights = weights },
			 0);
	for (uint64_t page = 0; page < 60; page++)
		assert_int_equal(data_node(&world, page), page % 6 < 3	  ? 0
							  : page % 6 == 3 ? 1
									  : 3);
	close_world(&world);
}

/* A node that is full gives way to the nearest; bound memory does not. */
static void
test_full_nodes(void **state)
{
	char bind[] = "1 2", distances[] = "10 30 20 40 30 10 20 20 "
					   "20 20 10 30 40 20 30 10";
	struct world world =
		world_of((struct numa_config){ .distances = distances },
			 4 << 20);
	const unsigned order[4] = { 0, 2, 1, 3 };

	(void)state;
	for (unsigned i = 0; i < 1024; i++)
		assert_int_equal(data_node(&world, i), order[i / 256]);
	assert_int_equal(data_node(&world, 0), 99);
	close_world(&world);
	world = world_of((struct numa_config){ .data = NUMA_BIND,
					       .bind = bind,
					       .distances = distances },
			 4 << 20);
	for (unsigned i = 0; i < 512; i++)
		assert_int_equal(data_node(&world, i), i < 256 ? 2 : 1);
	assert_int_equal(data_node(&world, 0), 99);
	assert_int_equal(world.numa->pages[1], 256);
	close_world(&world);
}

static void
test_table_policies(void **state)
{
	struct world world = world_of((struct numa_config){ 0 }, 0);
	unsigned seen[4] = { 0 };

	(void)state;
	world.numa->node = 2;
	assert_int_equal(table_node(&world, 1), 2);
	close_world(&world);
	world = world_of((struct numa_config){ .tables = TABLES_REMOTE }, 0);
	world.numa->node = 3;
	assert_int_equal(table_node(&world, 1), 0);
	close_world(&world);
	world = world_of((struct numa_config){ .tables = TABLES_INTERLEAVE },
			 0);
	for (unsigned i = 0; i < 100; i++)
		seen[table_node(&world, 1 + i % 3)]++;
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(seen[i], 25);
	close_world(&world);
	world = world_of((struct numa_config){ .tables = TABLES_UPPER_PINNED,
					       .node = 1 },
			 0);
	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(table_node(&world, 2 + i % 3), 1);
		assert_int_equal(table_node(&world, 1), i % 4);
	}
	close_world(&world);
	world = world_of((struct numa_config){ .tables = TABLES_LEAF_DATA,
					       .data = NUMA_INTERLEAVE },
			 0);
	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(data_node(&world, i), i % 4);
		assert_int_equal(table_node(&world, 1), i % 4);
		assert_int_equal(table_node(&world, 2), 0);
	}
	close_world(&world);
}

static void
test_replicas(void **state)
{
	struct world world =
		world_of((struct numa_config){ .tables = TABLES_REPLICATED },
			 0);
	uint64_t page, used, read;

	(void)state;
	used = frames_used(world.frames);
	assert_int_equal(frames_take_table(world.frames, 12, 1, 0, &page), 0);
	assert_int_equal(frames_used(world.frames) - used, 4 * 4096);
	for (unsigned node = 0; node < 4; node++) {
		read = page + 24;
		world.numa->node = node;
		numa_redirect(world.numa, &read, 1);
		assert_int_equal(numa_node_of(world.numa, read), node);
		assert_int_equal(read & 4095, 24);
	}
	frames_give(world.frames, 12, page);
	assert_int_equal(frames_used(world.frames), used);
	close_world(&world);
}

/* A table page goes to the node that walks it again and again. */
static void
test_tables_move(void **state)
{
	struct world world =
		world_of((struct numa_config){ .tables = TABLES_MIGRATE }, 0);
	uint64_t page, used, read;

	(void)state;
	assert_int_equal(frames_take_table(world.frames, 12, 1, 0, &page), 0);
	used = frames_used(world.frames);
	for (unsigned i = 0; i < 200; i++) {
		/* 63 references of another node are not enough */
		world.numa->node = i < 63 || i >= 64 ? 2 : 0;
		read = page + 8;
		numa_redirect(world.numa, &read, 1);
		frames_move_tables(world.frames);
		assert_int_equal(numa_node_of(world.numa, read),
				 i < 64 + 64 ? 0 : 2);
	}
	assert_int_equal(frames_used(world.frames), used);
	frames_give(world.frames, 12, page);
	assert_int_equal(frames_used(world.frames), 0);
	close_world(&world);
}

/* Where it was at first no other page comes as long as it is in use: that is
 * its name. */
static void
test_moved_tables_keep_their_names(void **state)
{
	struct world world =
		world_of((struct numa_config){ .tables = TABLES_MIGRATE }, 0);
	uint64_t page, other[40], read;

	(void)state;
	assert_int_equal(frames_take_table(world.frames, 12, 1, 0, &page), 0);
	for (unsigned node = 2; node <= 3; node++)
		for (unsigned i = 0; i < 64; i++) {
			world.numa->node = node;
			read = page;
			numa_redirect(world.numa, &read, 1);
			frames_move_tables(world.frames);
		}
	read = page;
	numa_redirect(world.numa, &read, 1);
	assert_int_equal(numa_node_of(world.numa, read), 3);
	world.numa->node = 0;
	for (unsigned i = 0; i < 40; i++) {
		assert_int_equal(frames_take_table(world.frames, 12, 1, 0,
						   &other[i]),
				 0);
		assert_int_not_equal(other[i], page);
	}
	for (unsigned i = 0; i < 40; i++)
		frames_give(world.frames, 12, other[i]);
	frames_give(world.frames, 12, page);
	assert_int_equal(frames_used(world.frames), 0);
	/* and now one may */
	assert_int_equal(frames_take_table(world.frames, 12, 1, 0, other), 0);
	assert_int_equal(other[0], page);
	close_world(&world);
}

static void
test_threads(void **state)
{
	struct world world = world_of((struct numa_config){ .node = 3 }, 0);

	(void)state;
	numa_run(world.numa, 17, 1000);
	assert_int_equal(world.numa->node, 3);
	close_world(&world);
	world = world_of((struct numa_config){ .threads = THREADS_SPREAD,
					       .move = 100 },
			 0);
	numa_run(world.numa, 6, 99);
	assert_int_equal(world.numa->node, 2);
	numa_run(world.numa, 6, 100);
	assert_int_equal(world.numa->node, 3);
	close_world(&world);
	world = world_of((struct numa_config){ .threads = THREADS_RECORDED },
			 0);
	numa_switch(world.numa, 5, 7);
	numa_run(world.numa, 5, 0);
	assert_int_equal(world.numa->node, 3);
	numa_run(world.numa, 6, 0);
	assert_int_equal(world.numa->node, 0);
	close_world(&world);
}

/* Scans at 1 s and then by what was seen; a page moves once it was seen from
 * elsewhere. */
static void
test_hints(void **state)
{
	struct world world =
		world_of((struct numa_config){ .nodes = 2,
					       .data = NUMA_MIGRATE,
					       .scan_min_ns = 1000 * MS },
			 0);
	struct numa_hints *hints;
	struct numa_move move;
	uint64_t *cursor;

	(void)state;
	assert_int_equal(numa_hints_open(&hints, world.numa), 0);
	assert_int_equal(numa_hints_due(hints, 0, 0, 1 << 20, &cursor), 0);
	assert_int_equal(numa_hints_due(hints, 0, 999 * MS, 1 << 20, &cursor),
			 0);
	assert_int_equal(numa_hints_due(hints, 0, 1000 * MS, 1 << 20, &cursor),
			 256 << 20);
	assert_int_equal(*cursor, 0);
	assert_false(numa_hints_pending(hints, 0, 0x5000));
	assert_int_equal(numa_hints_mark(hints, 0, 0, 1 << 20), 0);
	numa_hints_scanned(hints, 0);
	assert_true(numa_hints_pending(hints, 0, 0x5000));
	assert_false(numa_hints_pending(hints, 1, 0x5000));
	assert_false(numa_hints_pending(hints, 0, 1 << 20));
	/* seen from its own node: stays, and is seen once a scan */
	assert_int_equal(numa_hints_walk(hints, 0, 0x5000, 0, 1), 0);
	assert_false(numa_hints_pending(hints, 0, 0x5000));
	assert_false(numa_hints_move(hints, &move));
	/* another page, from the other node: moves at once, early */
	world.numa->node = 1;
	assert_int_equal(numa_hints_walk(hints, 0, 0x6000, 0, 1), 0);
	assert_true(numa_hints_move(hints, &move));
	assert_int_equal(move.address, 0x6000);
	assert_int_equal(move.node, 1);
	assert_false(numa_hints_move(hints, &move));
	/* no fault was seen in the first round: the period doubled */
	assert_int_equal(numa_hints_due(hints, 0, 1999 * MS, 1 << 20, &cursor),
			 0);
	assert_int_equal(numa_hints_due(hints, 0, 2000 * MS, 1 << 20, &cursor),
			 256 << 20);
	numa_hints_scanned(hints, 0);
	/* half were local: 5 of 10, so the period is shortened by 2 slots */
	assert_int_equal(numa_hints_due(hints, 0, 3999 * MS, 1 << 20, &cursor),
			 0);
	assert_int_equal(numa_hints_due(hints, 0, 4000 * MS, 1 << 20, &cursor),
			 256 << 20);
	numa_hints_close(hints);
	close_world(&world);
}

/* Later two faults in a row of other threads must come from the node. */
static void
test_two_faults_in_a_row(void **state)
{
	struct world world =
		world_of((struct numa_config){ .nodes = 2,
					       .data = NUMA_MIGRATE,
					       .scan_min_ns = MS },
			 0);
	const unsigned node[] = { 0, 0, 0, 0, 0, 0, 1, 1, 1 };
	struct numa_hints *hints;
	struct numa_move move;
	uint64_t *cursor;

	(void)state;
	assert_int_equal(numa_hints_open(&hints, world.numa), 0);
	assert_int_equal(numa_hints_due(hints, 0, 0, 0, &cursor), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(node); i++) {
		assert_true(numa_hints_due(hints, 0, (i + 1) * 60000 * MS, 0,
					   &cursor) > 0);
		assert_int_equal(numa_hints_mark(hints, 0, 0, 4096), 0);
		numa_hints_scanned(hints, 0);
		world.numa->node = node[i];
		assert_int_equal(numa_hints_walk(hints, 0, 0, 0, i), 0);
		assert_int_equal(numa_hints_move(hints, &move), i >= 7);
		(void)numa_hints_move(hints, &move);
	}
	numa_hints_close(hints);
	close_world(&world);
}

static const char xml[] =
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	"<!DOCTYPE topology SYSTEM \"hwloc2.dtd\">\n"
	"<topology version=\"2.0\">\n"
	"<object type=\"Machine\" os_index=\"0\" cpuset=\"0x0000000f\" "
	"complete_cpuset=\"0x0000000f\" allowed_cpuset=\"0x0000000f\" "
	"nodeset=\"0x00000003\" complete_nodeset=\"0x00000003\" "
	"allowed_nodeset=\"0x00000003\" gp_index=\"1\">\n"
	"<object type=\"Package\" os_index=\"0\" cpuset=\"0x00000005\" "
	"complete_cpuset=\"0x00000005\" nodeset=\"0x00000001\" "
	"complete_nodeset=\"0x00000001\" gp_index=\"2\">\n"
	"<object type=\"NUMANode\" os_index=\"0\" cpuset=\"0x00000005\" "
	"complete_cpuset=\"0x00000005\" nodeset=\"0x00000001\" "
	"complete_nodeset=\"0x00000001\" gp_index=\"3\" "
	"local_memory=\"1073741824\"/>\n"
	"<object type=\"PU\" os_index=\"0\" cpuset=\"0x00000001\" "
	"complete_cpuset=\"0x00000001\" nodeset=\"0x00000001\" "
	"complete_nodeset=\"0x00000001\" gp_index=\"4\"/>\n"
	"<object type=\"PU\" os_index=\"2\" cpuset=\"0x00000004\" "
	"complete_cpuset=\"0x00000004\" nodeset=\"0x00000001\" "
	"complete_nodeset=\"0x00000001\" gp_index=\"5\"/>\n"
	"</object>\n"
	"<object type=\"Package\" os_index=\"1\" cpuset=\"0x0000000a\" "
	"complete_cpuset=\"0x0000000a\" nodeset=\"0x00000002\" "
	"complete_nodeset=\"0x00000002\" gp_index=\"6\">\n"
	"<object type=\"NUMANode\" os_index=\"1\" cpuset=\"0x0000000a\" "
	"complete_cpuset=\"0x0000000a\" nodeset=\"0x00000002\" "
	"complete_nodeset=\"0x00000002\" gp_index=\"7\" "
	"local_memory=\"1073741824\"/>\n"
	"<object type=\"PU\" os_index=\"1\" cpuset=\"0x00000002\" "
	"complete_cpuset=\"0x00000002\" nodeset=\"0x00000002\" "
	"complete_nodeset=\"0x00000002\" gp_index=\"8\"/>\n"
	"<object type=\"PU\" os_index=\"3\" cpuset=\"0x00000008\" "
	"complete_cpuset=\"0x00000008\" nodeset=\"0x00000002\" "
	"complete_nodeset=\"0x00000002\" gp_index=\"9\"/>\n"
	"</object>\n"
	"</object>\n"
	"<distances2 type=\"NUMANode\" nbobjs=\"2\" kind=\"5\" "
	"name=\"NUMALatency\" indexing=\"os\">\n"
	"<indexes length=\"4\">0 1 </indexes>\n"
	"<u64values length=\"12\">10 32 32 10 </u64values>\n"
	"</distances2>\n"
	"</topology>\n";

static void
test_topology(void **state)
{
	char path[] = "topology-XXXXXX";
	int fd = mkstemp(path);
	struct world world;
	static struct topology live;

	(void)state;
	assert_int_equal(write(fd, xml, strlen(xml)), strlen(xml));
	close(fd);
	world = world_of((struct numa_config){ .nodes = 1,
					       .topology = path,
					       .threads = THREADS_RECORDED },
			 0);
	assert_int_equal(world.numa->nodes, 2);
	assert_int_equal(world.numa->latency[1], 320);
	for (unsigned core = 0; core < 4; core++) {
		numa_switch(world.numa, 0, core);
		numa_run(world.numa, 0, 0);
		assert_int_equal(world.numa->node, core % 2);
	}
	close_world(&world);
	unlink(path);
	assert_int_equal(topology_read(&live, "live"), 0);
	assert_true(live.nodes >= 1 && live.cores >= 1);
	assert_int_equal(topology_read(&live, "no-such-file"), -ENOENT);
	assert_int_equal(topology_read(&live, "/dev/null"), -EINVAL);
}

static void
test_what_is_refused(void **state)
{
	char three[] = "10 20 20", words[] = "ten", big[] = "4",
	     low[] = "0.5 1", weights[] = "1 x";
	const struct {
		struct numa_config config;
		const char *field;
	} wrong[] = {
		{ { .nodes = 2, .distances = three }, "distances" },
		{ { .nodes = 2, .distances = words }, "distances" },
		{ { .nodes = 2, .load = low }, "load" },
		{ { .nodes = 2, .weights = weights }, "weights" },
		{ { .nodes = 2, .bind = big }, "bind" },
		{ { .nodes = 2, .node = 2 }, "node" },
		{ { .nodes = 2, .topology = words }, "topology" },
		{ { .nodes = 2, .scan_min_ns = 2, .scan_max_ns = 1 },
		  "scan-max" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		const char *field = NULL;
		char text[512];

		assert_true(numa_config_wrong(&wrong[i].config, &field, text,
					      sizeof(text)) > 0);
		assert_string_equal(field, wrong[i].field);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_node_is_none),
		cmocka_unit_test(test_latencies),
		cmocka_unit_test(test_data_policies),
		cmocka_unit_test(test_full_nodes),
		cmocka_unit_test(test_table_policies),
		cmocka_unit_test(test_replicas),
		cmocka_unit_test(test_tables_move),
		cmocka_unit_test(test_moved_tables_keep_their_names),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_hints),
		cmocka_unit_test(test_two_faults_in_a_row),
		cmocka_unit_test(test_topology),
		cmocka_unit_test(test_what_is_refused),
	};

	return cmocka_run_group_tests_name("numa", tests, NULL, NULL);
}
