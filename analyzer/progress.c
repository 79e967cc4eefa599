// SPDX-License-Identifier: GPL-2.0-or-later
#include "analyzer/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FIRST_NS    UINT64_C(500000000)
#define INTERVAL_NS UINT64_C(250000000)
#define WIPE	    "\r\033[K"

static uint64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void
progress_init_fd(struct progress *progress, const char *what, int fd)
{
	*progress = (struct progress){
		.what = what,
		.fd = fd,
		.start_ns = now_ns(),
	};
}

void
progress_init(struct progress *progress, const char *what)
{
	const char *terminal = getenv("TERM");
	bool wanted = isatty(STDERR_FILENO) &&
		      (!terminal || strcmp(terminal, "dumb") != 0);

	progress_init_fd(progress, what, wanted ? STDERR_FILENO : -1);
}

int
progress_text(const char *what, uint64_t done, uint64_t all, uint64_t accesses,
	      uint64_t elapsed_ns, char *text, size_t text_bytes)
{
	double seconds = (double)elapsed_ns * 1e-9, left;
	char percent[16] = "", rate[32] = "", eta[32] = "";

	if (all) {
		done = done < all ? done : all;
		snprintf(percent, sizeof(percent), "  %3.0f %%",
			 100.0 * (double)done / (double)all);
	}
	if (elapsed_ns)
		snprintf(rate, sizeof(rate), "  %.1f M/s",
			 (double)accesses / seconds * 1e-6);
	if (all && done && elapsed_ns) {
		left = seconds * (double)(all - done) / (double)done + 0.5;
		if (left < 100 * 3600.0)
			snprintf(eta, sizeof(eta), "  %d:%02d left",
				 (int)left / 60, (int)left % 60);
	}
	return snprintf(text, text_bytes, "%s%s  %.1f M accesses%s%s", what,
			percent, (double)accesses * 1e-6, rate, eta);
}

void
progress_update(struct progress *progress, uint64_t done, uint64_t all,
		uint64_t accesses)
{
	char text[256] = WIPE;
	size_t used = strlen(text);
	uint64_t now;

	if (progress->fd < 0)
		return;
	now = now_ns();
	if (now - progress->start_ns < FIRST_NS ||
	    now - progress->shown_ns < INTERVAL_NS)
		return;
	progress->shown_ns = now;
	progress->shown = true;
	progress_text(progress->what, done, all, accesses,
		      now - progress->start_ns, text + used,
		      sizeof(text) - used);
	/* A lost line of progress is no loss. */
	if (write(progress->fd, text, strlen(text)) < 0)
		progress->fd = -1;
}

void
progress_fini(struct progress *progress)
{
	if (progress->shown && progress->fd >= 0 &&
	    write(progress->fd, WIPE, strlen(WIPE)) < 0)
		progress->fd = -1;
	progress->shown = false;
}
