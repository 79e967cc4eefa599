/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What random programs are made of; see random-program.h. */
#ifndef TESTS_RANDOM_FORMS_H
#define TESTS_RANDOM_FORMS_H

#include "instruction-forms.h"

#define RANDOM_FORMS_MAX 12000

struct random_forms {
	struct form form[RANDOM_FORMS_MAX];
	bool aligned[RANDOM_FORMS_MAX]; /* its memory must be, to 64 bytes */
	size_t n;
};

#endif
