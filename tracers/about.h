/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an engine tells about a recording (stream_about). */
#ifndef TRACERS_ABOUT_H
#define TRACERS_ABOUT_H

#include "analyzer/stream.h"

/* An engine that takes part, and how fine the order of its threads is. */
void about_engine(struct stream *stream, const char *name, const char *order);
/* What was recorded by single-stepping beside a faster engine, and why. */
void about_stepped(struct stream *stream, const char *cause,
		   uint64_t instructions);
/* One sentence on what is missing. */
void about_loss(struct stream *stream, const char *what);

#endif
