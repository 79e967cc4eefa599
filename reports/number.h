/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers for people: exact counts with separators in tables, three or four
 * digits with a prefix in sentences.  By value, so that they can stand in the
 * arguments of a printf.
 */
#ifndef REPORTS_NUMBER_H
#define REPORTS_NUMBER_H

#include "analyzer/base.h"

struct number {
	char text[48];
};

/* "12,345,678"; a fraction is rounded away. */
struct number number_count(double value);
/* "950", "12.3 k", "4.56 M": decimal prefixes */
struct number number_si(double value);
/* "512 bytes", "44.0 KiB", "3.21 GiB" */
struct number number_bytes(double value);
/* "12.3 %", "< 0.1 %"; "-" when of nothing */
struct number number_share(double part, double whole);
/* "0.0421", "3.71", "120": three digits */
struct number number_real(double value);
/* n and the word with its plural s: "1 walk", "4.56 M walks" */
struct number number_of(double value, const char *word);
/* '#' for each `step` of share, at most `most` of them; a lone mark '.' for
 * what is not 0 but too little. */
struct number number_bar(double part, double whole, unsigned most);

#endif
