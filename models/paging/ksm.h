/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Same-page merging (KSM): the kernel's thread that scans pages, finds those
 * of the same content and keeps one frame for them, until one is written.
 * After mm/ksm.c of Linux 6.18.
 */
#ifndef MODELS_PAGING_KSM_H
#define MODELS_PAGING_KSM_H

#include "analyzer/base.h"
#include "analyzer/option.h"

enum ksm_run {
	KSM_RECORDED, /* where the trace has contents, if the host ran it */
	KSM_NO,
	KSM_YES,
};

/* 0 stands for what the trace's host had, or the kernel's default. */
struct ksm_config {
	int run;		   /* enum ksm_run */
	uint64_t scan_pages;	   /* a wakeup */
	uint64_t sleep_ns;	   /* between wakeups */
	uint64_t tick_ns;	   /* of the kernel's clock, which wakes it */
	int64_t scan_ns, merge_ns; /* cost of a page */
	int64_t max_sharing;	   /* mappings of one frame at most */
	int zero; /* enum ksm_run: to the zero page; by default no */
	/* Without contents: this part of all pages that ask for it has equals,
	 * in groups of so many */
	double rate;
	int64_t group;
};

extern const struct option_row ksm_rows[]; /* prefix "ksm" */

#endif
