/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs one instruction with chosen registers, to its end or its fault. */
#ifndef TESTS_INSTRUCTION_RUN_H
#define TESTS_INSTRUCTION_RUN_H

#include "analyzer/base.h"

struct run_registers {
	uint64_t general[16]; /* as encoded */
	uint64_t flags, rip;
};

struct run_vectors {
	uint8_t vector[32][64];
	uint64_t opmask[8];
	uint64_t mmx[8];
};

struct run_result {
	int signal; /* SIGTRAP: an int3 was reached */
	int code;   /* si_code */
	uint64_t address, rip, error;
	uint64_t general[16];
	uint64_t flags;
};

/* 0 or a negative errno.  Once a process. */
int run_prepare(void);
/* What the vector registers hold from now on. */
void run_vectors(const struct run_vectors *vectors);
void run_instruction(const struct run_registers *registers,
		     struct run_result *result);
uint64_t run_fs_base(void);

#endif
