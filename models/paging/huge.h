/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What decides about huge pages, as options.  paging.h has it in its
 * configuration; all zero is pages.thp=always without khugepaged.
 */
#ifndef MODELS_PAGING_HUGE_H
#define MODELS_PAGING_HUGE_H

#include "analyzer/base.h"
#include "analyzer/option.h"

/* Where faults may bring in THPs: transparent_hugepage/enabled */
enum huge_mode {
	HUGE_ALWAYS,
	HUGE_MADVISE,  /* where MADV_HUGEPAGE asked for it */
	HUGE_NEVER,    /* but MADV_COLLAPSE still makes them */
	HUGE_RECORDED, /* as the trace says of its host; else always */
};

/* Where memory is too fragmented for them: transparent_hugepage/defrag */
enum huge_defrag {
	DEFRAG_ALWAYS,
	DEFRAG_DEFER,
	DEFRAG_DEFER_MADVISE,
	DEFRAG_MADVISE,
	DEFRAG_NEVER,
	DEFRAG_RECORDED, /* as the trace says of its host; else madvise */
};

/* sysfs khugepaged/, in pages of 4K */
struct khugepaged_config {
	uint64_t scan_pages; /* a round; 0: it does not run */
	uint64_t sleep_ns;   /* between rounds */
	int64_t max_none, max_swap, max_shared;
	bool no_defrag; /* it does not compact memory */
};

enum promotion_by {
	PROMOTION_COVERAGE,
	PROMOTION_WALKS,
};

struct promotion_config {
	double threshold;
	uint64_t interval_ns, pages;
	int by; /* enum promotion_by */
};

enum hugetlb_pool {
	HUGETLB_2M,
	HUGETLB_1G,
	HUGETLB_POOLS
};

struct hugetlb_config {
	uint64_t pages[HUGETLB_POOLS]; /* 0: no limit */
};

struct huge_config {
	int thp;      /* enum huge_mode */
	char *mthp;   /* owned: see huge_orders_parse; or NULL */
	bool bloat;   /* look at every access: coverage.c */
	bool no_zero; /* no huge zero page: use_zero_page is 0 */
	/* cost in ns of 4K: zeroed in a large page; copied by a collapse */
	int64_t zero_ns, copy_ns;
	int defrag; /* enum huge_defrag */
	/* of compaction: a page looked at, and moved */
	int64_t look_ns, move_ns;
	struct khugepaged_config khugepaged;
	struct hugetlb_config hugetlb;
	struct promotion_config promotion;
};

extern const struct option_row huge_rows[];	  /* prefix "pages" */
extern const struct option_row khugepaged_rows[]; /* "khugepaged" */
extern const struct option_row promotion_rows[];  /* "promotion" */
extern const struct option_row hugetlb_rows[];	  /* "hugetlb" */

#define HUGE_ORDERS 10 /* 4K .. 2M */

/* Bits of orders (2: 16K ... 9: 2M) by who may have them. */
struct huge_orders {
	uint32_t always, madvise;
};

/*
 * Sizes that are on, as the kernel's hugepages-SIZE/enabled say, from a text
 * as "64k,1m=madvise,2m=never": powers of two from 16k to 2m; without a word
 * as `mode` says (there: inherit), and so is 2m if it is not named.  NULL is
 * "".  false: it is no such text.
 */
bool huge_orders_parse(const char *text, enum huge_mode mode,
		       struct huge_orders *orders);

/* Is the configuration one that paging_open takes?  NULL: yes; else what is
 * wrong, in *field the name of its row. */
const char *huge_config_wrong(const struct huge_config *config,
			      const char **field);

#endif
