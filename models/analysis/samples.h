/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What samples of a trace tell: who misses the TLBs, at what page size, into
 * which mappings, at what latency, without any access being recorded.  A share
 * p of n samples has the standard error sqrt(p(1-p)/n); the number that m
 * samples stand for is the sum of their periods, and its error the root of the
 * sum of their squares.
 *
 * Tables: samples.events, samples.translation, samples.levels, samples.pages,
 * samples.mappings, samples.sites; values samples.count and samples.*.  None
 * of them where the trace has no samples.
 */
#ifndef MODELS_ANALYSIS_SAMPLES_H
#define MODELS_ANALYSIS_SAMPLES_H

#include "analyzer/model.h"

/* It takes no configuration.  The stream outlives it. */
extern const struct model_ops samples_model;

#endif
