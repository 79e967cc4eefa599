/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a processor says of its TLBs, caches and tables, as options of a machine.
 *
 *	AMD	CPUID 8000_0005h, 8000_0006h, 8000_0019h (TLBs), 8000_001Dh
 *	Intel	CPUID 18h, or where that is empty the descriptors of 2h; 4h
 *	Arm	MIDR_EL1, as the kernel shows it: only which core it is
 *	all	/sys/devices/system/cpu/cpu0/cache (caches), before CPUID;
 *		/sys/devices/system/node (nodes of memory and their distances)
 *
 * A processor in a virtual machine tells what the hypervisor lets it tell.
 * What none of them tells (latencies, walk caches) is left to the preset of the
 * core that it is.
 */
#ifndef ANALYZER_DETECT_H
#define ANALYZER_DETECT_H

#include "analyzer/base.h"

#define DETECT_FIGURES 96
#define DETECT_REMARKS 12

struct detect_host {
	const char *root; /* "" is the host; a directory with files: tests */
	/* eax, ebx, ecx, edx; NULL: there is no CPUID */
	void (*cpuid)(void *context, uint32_t leaf, uint32_t subleaf,
		      uint32_t registers[4]);
	void *context;
};

struct detect_figure {
	char option[40]; /* "tlb.l1d.entries" */
	char value[256];
	char source[64]; /* "CPUID 8000_0005h"; "measured, ..." */
};

struct detected {
	char name[64];	    /* "AMD EPYC 7B13" */
	char identity[64];  /* "AuthenticAMD family 25 model 1" */
	const char *preset; /* of this core or a near one; NULL: unknown */
	struct detect_figure figure[DETECT_FIGURES];
	size_t n;
	char remark[DETECT_REMARKS][160]; /* what is hidden or left out */
	size_t n_remarks;
};

void detect(const struct detect_host *host, struct detected *out);

/* CPUID of the processor that this runs on, for detect_host.cpuid; NULL where
 * there is none. */
extern void (*const detect_cpuid)(void *context, uint32_t leaf,
				  uint32_t subleaf, uint32_t registers[4]);

/* For detect-tlbs.c: one more figure, or another in its place; a remark. */
void detect_add(struct detected *out, const char *source, const char *part,
		const char *field, const char *format, ...) PRINTF_LIKE(5, 6);
void detect_remark(struct detected *out, const char *format, ...)
	PRINTF_LIKE(2, 3);

/* What CPUID says of TLBs. */
void detect_tlbs(const struct detect_host *host, bool amd,
		 struct detected *out);

#endif
