// SPDX-License-Identifier: GPL-2.0-or-later
#include "models/analysis/simulate.h"

#include "analyzer/fail.h"

#include <stdlib.h>
#include <string.h>

#define OBJECTS_FIRST 4096u

/* One policy at work, and the sizes of objects as they are for it now */
struct player {
	struct reclaim *reclaim;
	uint32_t *size; /* owned; NULL: pages */
	uint32_t room;
	int error;
};

static int
feed(void *context, const struct reclaim_batch *batch)
{
	struct player *player = context;

	if (player->error)
		return player->error;
	return player->reclaim->ops->feed(player->reclaim, batch);
}

static void
drop(void *context, uint32_t page)
{
	struct player *player = context;

	player->reclaim->ops->drop(player->reclaim, page);
}

static void
set_size(void *context, uint32_t page, uint32_t bytes)
{
	struct player *player = context;
	uint32_t room = player->room, *size;

	while (room <= page)
		room = room ? 2 * room : OBJECTS_FIRST;
	if (room > player->room) {
		size = reallocarray(player->size, room, sizeof(*size));
		if (!size) {
			player->error = fail(ENOMEM, "curve: no memory");
			return;
		}
		memset(size + player->room, 0,
		       (room - player->room) * sizeof(*size));
		player->size = size;
		player->room = room;
	}
	player->size[page] = bytes;
}

static int
simulate_one(void *context, size_t i)
{
	struct simulate *simulate = context;
	struct simulation *simulation = &simulate->simulation[i];
	struct reclaim_config config = simulation->config;
	struct player player = { 0 };
	const uint32_t *const *size = (const uint32_t *const *)&player.size;
	const struct refstring_listener listener = { &player, feed, drop,
						     set_size };
	int error;

	config.size = simulate->sizes ? size : NULL;
	error = reclaim_open(&player.reclaim, &config);
	if (!error)
		error = refstring_play(simulate->string, &listener);
	if (!error)
		simulation->counts = player.reclaim->counts;
	reclaim_close(player.reclaim);
	free(player.size);
	return error;
}

static void
tick(void *context, size_t done)
{
	struct simulate *simulate = context;

	if (simulate->tick)
		simulate->tick(simulate->tick_context, done);
}

int
simulate_run(struct simulate *simulate)
{
	const struct tasks tasks = { .n = simulate->n,
				     .work = simulate_one,
				     .context = simulate,
				     .jobs = simulate->jobs,
				     .stop = simulate->stop,
				     .tick = tick };

	return tasks_run(&tasks);
}
