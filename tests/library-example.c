// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An example of libpagescope: how many pages a trace touches, counted here, and
 * what a machine with half the second-level TLB would make of it.
 *
 *	cc library-example.c $(pkg-config --cflags --libs pagescope)
 *	./a.out TRACE
 */
#include <pagescope.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Pages of 4 KiB that loads and stores begin in, and all accesses */
static int
count_pages(const char *name, size_t *pages, size_t *accesses)
{
	struct pagescope_trace *trace;
	struct pagescope_batch batch;
	uint64_t *page = NULL;
	size_t n = 0;
	int got = pagescope_trace_open(&trace, name);

	if (got)
		return got;
	*pages = *accesses = 0;
	while ((got = pagescope_trace_next(trace, &batch)) > 0) {
		page = realloc(page, (n + batch.n + 1) * sizeof(*page));
		if (!page)
			abort();
		*accesses += batch.n;
		for (size_t i = 0; i < batch.n; i++)
			if (batch.access[i].kind != PAGESCOPE_FETCH)
				page[n++] = batch.access[i].address >> 12;
	}
	pagescope_trace_close(trace);
	if (n)
		qsort(page, n, sizeof(*page), by_number);
	for (size_t i = 0; i < n; i++)
		*pages += !i || page[i] != page[i - 1];
	free(page);
	return got;
}

static int
replay(const char *name, const char *option)
{
	const char *const options[] = { option, NULL };
	struct pagescope_result *result;
	double walks, cycles;
	int error = pagescope_replay(&result, name, "skylake-sp", options);

	if (error)
		return error;
	if (!pagescope_result_number(result, "walk.count", &walks) &&
	    !pagescope_result_number(result, "translation.cycles", &cycles))
		printf("%s: %.0f %s, %.0f %s\n", option, walks,
		       pagescope_result_unit(result, "walk.count"), cycles,
		       pagescope_result_unit(result, "translation.cycles"));
	pagescope_result_close(result);
	return 0;
}

int
main(int argc, char **argv)
{
	size_t pages, accesses;

	if (argc != 2 || pagescope_api() != PAGESCOPE_API)
		return 2;
	if (count_pages(argv[1], &pages, &accesses) ||
	    replay(argv[1], "tlb.l2.entries=1536") ||
	    replay(argv[1], "tlb.l2.entries=768")) {
		fprintf(stderr, "%s\n", pagescope_error());
		return 1;
	}
	printf("%zu accesses, %zu pages\n", accesses, pages);
	return 0;
}
