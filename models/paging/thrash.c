// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * With k of M processes at the device, the others compute: a fault comes
 * min(M - k, processors) times as often as from one of them, and the device
 * ends one in its service time.  So the states' odds follow from one another,
 *
 *	p(k + 1) / p(k) = min(M - k, processors) * service / compute
 */
#include "models/paging/thrash.h"

#include <assert.h>
#include <math.h>

static double
running(unsigned others, const struct thrash_config *config)
{
	return others < config->processors ? others : config->processors;
}

/* Nobody ever waits. */
static void
no_faults(struct thrash *out, const struct thrash_config *config,
	  unsigned processes)
{
	double busy = running(processes, config);

	*out = (struct thrash){
		.utilisation = busy / config->processors,
		.throughput = busy,
		.slowdown = processes / busy,
	};
}

void
thrash_together(struct thrash *out, const struct thrash_load *load,
		const struct thrash_config *config, unsigned processes)
{
	double odds[THRASH_PROCESSES + 1], most = 0, all = 0, busy = 0;
	double compute, service;

	assert(processes && processes <= THRASH_PROCESSES);
	if (load->faults <= 0) {
		no_faults(out, config, processes);
		return;
	}
	compute = load->accesses * config->cpu_ns / load->faults;
	service = config->read_ns +
		  load->writebacks / load->faults * config->write_ns;
	if (service <= 0) {
		no_faults(out, config, processes);
		return;
	}
	/* As logarithms: a thousand processes that fault all the time */
	odds[0] = 0;
	for (unsigned k = 0; k < processes; k++) {
		odds[k + 1] = odds[k] + log(running(processes - k, config) *
					    service / compute);
		most = fmax(most, odds[k + 1]);
	}
	for (unsigned k = 0; k <= processes; k++) {
		odds[k] = exp(odds[k] - most);
		all += odds[k];
		busy += odds[k] * running(processes - k, config);
	}
	busy /= all;
	*out = (struct thrash){
		.utilisation = busy / config->processors,
		.device = 1 - odds[0] / all,
		.some = 1 - odds[0] / all,
		.full = odds[processes] / all,
		.throughput = busy,
		.slowdown = processes / busy,
	};
}
