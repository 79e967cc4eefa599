/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What sampler.c and sampler-records.c share. */
#ifndef TRACERS_SAMPLER_STATE_H
#define TRACERS_SAMPLER_STATE_H

#include "tracers/sampler.h"

#include <pthread.h>

#include "tracers/files.h"

#define AUX_BYTES (4u << 20)
/* What sample_id_all appends: TID, TIME, IDENTIFIER */
#define SAMPLE_ID_BYTES 24
#define SAMPLE_TYPE                                                  \
	(PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_IP | PERF_SAMPLE_TID | \
	 PERF_SAMPLE_TIME | PERF_SAMPLE_ADDR | PERF_SAMPLE_PERIOD)

#define FRESH 16

struct counter {
	int fd;
	uint64_t id;
	uint8_t event; /* index in sampler->event */
};

struct ring {
	struct perf_event_mmap_page *page;
	uint64_t data_bytes;
	int fd;		    /* not owned: of its first counter */
	unsigned char *aux; /* SPE's own ring, or NULL */
};

enum item_kind {
	ITEM_SAMPLE,
	ITEM_MAP,
	ITEM_FORK,
	ITEM_EXEC,
	ITEM_EXIT,
};

struct item {
	uint64_t time_ns, address, ip, length, offset, extra;
	pid_t pid, tid;
	uint32_t file;	/* of ITEM_MAP */
	uint16_t flags; /* of ITEM_MAP and ITEM_SAMPLE */
	uint8_t kind, event;
	size_t order; /* of arrival, to break ties */
};

struct sampler {
	struct tracer tracer; /* first */
	struct tracer_setup setup;
	const char *what;
	struct sampler_event event[SAMPLER_EVENTS];
	uint32_t name[SAMPLER_EVENTS]; /* file numbers */
	size_t n_events;
	uint64_t seen[SAMPLER_EVENTS];
	struct counter *counter; /* owned */
	size_t n_counters;
	struct ring *ring; /* owned */
	size_t n_rings;
	struct files *files;

	pthread_mutex_t lock; /* of all below */
	struct item *item;    /* owned */
	size_t n_items, size;
	bool sorted, failed;
	pthread_t thread;
	bool running, leave;

	pid_t root;
	int root_status;
	bool root_ended, detached;
	uint64_t damaged;    /* records lost or not understood */
	uint64_t lost;	     /* told so far */
	uint64_t seen_asked; /* when the counts were last read */
	bool loss_said;
	uint64_t given_ns;  /* time of the last batch with something in it */
	unsigned quiet;	    /* looks since then that found nothing */
	pid_t fresh[FRESH]; /* exec'd, and nothing was seen of them since */
};

/* Take all records out of a ring into the queue. */
void sampler_empty_ring(struct sampler *sampler, struct ring *ring);

/* A zeroed item at the end of the queue, or NULL: no memory (remembered). */
struct item *sampler_item(struct sampler *sampler);

#endif
