/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An instruction's bytes for another place: with another register for the
 * stolen one, and with rip-relative operands that reach what they named.
 */
#ifndef TRACERS_CACHE_SUBSTITUTE_H
#define TRACERS_CACHE_SUBSTITUTE_H

#include "tracers/cache-decode.h"

/* A register that can stand in for the stolen one, -1: none is free. */
int substitute_choose(const struct cache_instruction *code);
/* In place; 0, or -EINVAL (unsaid): its encoding is not one of those known. */
int substitute_register(const struct cache_instruction *code,
			const struct decoded *whole, uint8_t *bytes, int with);
/* bytes will stand at `address`; 0, or -ERANGE: too far away. */
int substitute_place(const struct cache_instruction *code, uint8_t *bytes,
		     uint64_t address);

#endif
