/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The processor's extended state as XSAVE lays it out (Intel SDM vol. 1,
 * chapter 13), as PTRACE_GETREGSET with NT_X86_XSTATE returns it.
 */
#ifndef TRACERS_XSTATE_H
#define TRACERS_XSTATE_H

#include "analyzer/base.h"

#define XSTATE_BYTES_MAX 16384

/* Vector register 0..31, or mm0..7 from 32; zeroes where the state has none of
 * it. */
void xstate_vector(const uint8_t *state, size_t bytes, unsigned number,
		   uint8_t value[64]);
/* k register 0..7. */
uint64_t xstate_opmask(const uint8_t *state, size_t bytes, unsigned number);

/* Where CPUID says that the components are: asked once, for under a hypervisor
 * each question costs tens of microseconds. */
struct xstate_layout {
	uint64_t enabled, aligned; /* bits of components */
	uint32_t size[64], offset[64];
};

void xstate_layout_init(struct xstate_layout *layout);

/* Bytes from the start of the area to the end of the last component that
 * xsave (or, compact, xsavec) of these components writes. */
uint32_t xstate_save_bytes(const struct xstate_layout *layout,
			   uint64_t components, bool compact);

#endif
