// SPDX-License-Identifier: GPL-2.0-or-later
/* Swap as it is at the start, told by the user or the trace's host, and what was
 * counted of it. */
#include "models/paging/space.h"

#include <stdlib.h>
#include <string.h>

#define CLUSTER	    3 /* vm.page-cluster where nobody tells */
#define CLUSTER_MAX 5
#define HITS_FIRST  4u /* swapin_readahead_hits */

/* "24105 MiB, swap 0 MiB" */
static bool
recorded_swap(const struct stream *stream)
{
	const char *text = recorded_host(stream, "memory");

	return !text || !strstr(text, ", swap 0 MiB");
}

/* "page-cluster 3, zram0 (zram)"; where the trace does not tell: zram */
static enum swap_kind
recorded_kind(const char *text)
{
	if (text && strstr(text, "(disk)"))
		return SWAP_KIND_DISK;
	return text && strstr(text, "(drive)") ? SWAP_KIND_DRIVE
					       : SWAP_KIND_SYNCHRONOUS;
}

static unsigned
recorded_cluster(const char *text)
{
	static const char words[] = "page-cluster ";
	const char *at = text ? strstr(text, words) : NULL;

	return at ? (unsigned)strtoul(at + sizeof(words) - 1, NULL, 10)
		  : CLUSTER;
}

void
swap_open(struct paging *paging)
{
	const struct paging_config *config = &paging->config;
	const char *host = recorded_host(paging->stream, "swap");
	enum swap_kind kind = config->swap_kind;
	struct swap *swap = &paging->swap;

	if (kind == SWAP_KIND_RECORDED)
		kind = recorded_kind(host);
	paging->swap_space = config->swap == SWAP_RECORDED
				     ? recorded_swap(paging->stream)
				     : config->swap == SWAP_YES;
	swap->synchronous = kind == SWAP_KIND_SYNCHRONOUS;
	swap->turns = kind == SWAP_KIND_DISK;
	swap->cluster = config->page_cluster < 0
				? recorded_cluster(host)
				: (unsigned)config->page_cluster;
	if (swap->cluster > CLUSTER_MAX)
		swap->cluster = CLUSTER_MAX;
	swap->hits = HITS_FIRST;
}

void
swap_fini(struct swap *swap)
{
	hash_fini(&swap->owners);
	hash_fini(&swap->cached);
	hash_fini(&swap->slot_of);
	hash_fini(&swap->ahead);
	free(swap->used);
}

int
swap_finish(const struct paging *paging, struct result *result)
{
	const struct swap *swap = &paging->swap;
	const struct {
		const char *name, *unit;
		uint64_t value;
	} row[] = {
		{ "swap.out", "pages", swap->outs },
		{ "swap.in", "pages", swap->ins },
		{ "swap.read-ahead", "pages", swap->aheads },
		{ "swap.read-ahead.hits", "pages", swap->ahead_hits },
		{ "swap.bytes", "bytes", swap->pages << PAGE_SHIFT },
		{ "swap.bytes.peak", "bytes", swap->peak << PAGE_SHIFT },
	};
	int error = 0;

	for (size_t i = 0; swap->outs && !error && i < ARRAY_SIZE(row); i++)
		error = result_count(result, row[i].name, row[i].value,
				     row[i].unit);
	return error;
}
