// SPDX-License-Identifier: GPL-2.0-or-later
#include "reports/renderer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define WIDTH_PLAIN 96
#define WIDTH_LEAST 60
#define WIDTH_MOST  160

void
render_terminal(struct render_setup *setup)
{
	const char *term = getenv("TERM"), *plain = getenv("NO_COLOR");
	struct winsize size;

	setup->width = WIDTH_PLAIN;
	setup->coloured = false;
	if (!isatty(STDOUT_FILENO))
		return;
	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col)
		setup->width = size.ws_col < WIDTH_LEAST  ? WIDTH_LEAST
			       : size.ws_col > WIDTH_MOST ? WIDTH_MOST
							  : size.ws_col;
	setup->coloured =
		(!plain || !*plain) && term && *term && strcmp(term, "dumb");
}
