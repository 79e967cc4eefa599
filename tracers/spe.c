// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A record is packets up to an END or TIMESTAMP:
 *
 *	b0 pc    65 context   49 load   52 events   98 latency ... b2 address   71 time
 *
 * Header byte, for short headers; an extended one (0x20 - 0x3f) comes before
 * the second byte and gives its index two more bits:
 *
 *	00 padding  01 end  71 timestamp  01ss0010 events  01ss0011 source
 *	011001ii context  010010cc operation  10110iii address  10011iii counter
 *
 * ss is log2 of the payload's bytes.
 */
#include "tracers/spe.h"

#include <string.h>

enum {
	ADDRESS_PC = 0,
	ADDRESS_DATA = 2,
	ADDRESS_PHYSICAL = 3
};
enum {
	COUNTER_TOTAL = 0,
	COUNTER_TRANSLATION = 2
};
enum {
	CLASS_MEMORY = 1
};

/* Bits of the events packet */
enum {
	EVENT_BIT_L1 = 1 << 2,
	EVENT_BIT_L1_REFILL = 1 << 3,
	EVENT_BIT_TLB = 1 << 4,
	EVENT_BIT_WALK = 1 << 5,
	EVENT_BIT_LAST = 1 << 8,
	EVENT_BIT_LAST_MISS = 1 << 9,
	EVENT_BIT_REMOTE = 1 << 10,
};

/* Which packets are there: header & mask == value */
static const struct {
	uint8_t mask, value, type, log_bytes; /* 4: by the header's ss */
	uint8_t index_mask;
} headers[] = {
	{ 0xff, 0x71, SPE_TIMESTAMP, 3, 0 }, { 0xcf, 0x42, SPE_EVENTS, 4, 0 },
	{ 0xcf, 0x43, SPE_SOURCE, 4, 0 },    { 0xfc, 0x64, SPE_CONTEXT, 2, 3 },
	{ 0xfc, 0x48, SPE_OPERATION, 0, 3 }, { 0xf8, 0xb0, SPE_ADDRESS, 3, 7 },
	{ 0xf8, 0x98, SPE_COUNTER, 1, 7 },
};

static int
packet_known(const unsigned char *at, size_t bytes, size_t before,
	     struct spe_packet *packet)
{
	unsigned char header = at[before];

	for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
		size_t length;

		if ((header & headers[i].mask) != headers[i].value)
			continue;
		length = (size_t)1
			 << (headers[i].log_bytes == 4 ? header >> 4 & 3
						       : headers[i].log_bytes);
		if (bytes < before + 1 + length)
			return 0;
		packet->type = headers[i].type;
		packet->index = header & headers[i].index_mask;
		if (before)
			packet->index |= (at[0] & 3u) << 3;
		packet->payload = 0;
		memcpy(&packet->payload, at + before + 1, length);
		return (int)(before + 1 + length);
	}
	return -EBADMSG;
}

int
spe_packet_next(const unsigned char *at, size_t bytes,
		struct spe_packet *packet)
{
	*packet = (struct spe_packet){ SPE_PADDING, 0, 0 };
	if (!bytes)
		return 0;
	if (at[0] == 0x00)
		return 1;
	if (at[0] == 0x01) {
		packet->type = SPE_END;
		return 1;
	}
	if ((at[0] & 0xe0) != 0x20)
		return packet_known(at, bytes, 0, packet);
	if (bytes < 2)
		return 0;
	/* Alignment: fills up to a multiple of 2^(n+1), from its own place */
	if (at[1] == 0x00)
		return 2;
	return packet_known(at, bytes, 1, packet);
}

struct record {
	struct memory_sample sample;
	uint64_t events, source;
	bool memory, has_source, begun;
};

/* Sources of Neoverse N1, V1, N2, V2 */
static unsigned
level_of(const struct record *record)
{
	static const uint8_t sources[16] = {
		[0x0] = SAMPLE_LEVEL_L1,	   [0x8] = SAMPLE_LEVEL_L2,
		[0x9] = SAMPLE_LEVEL_CACHE,	   [0xa] = SAMPLE_LEVEL_CACHE,
		[0xb] = SAMPLE_LEVEL_L3,	   [0xc] = SAMPLE_LEVEL_CACHE,
		[0xd] = SAMPLE_LEVEL_REMOTE_CACHE, [0xe] = SAMPLE_LEVEL_RAM,
	};
	uint64_t events = record->events;

	if (record->has_source)
		return record->source < 16 ? sources[record->source] : 0;
	if (events & EVENT_BIT_REMOTE)
		return events & EVENT_BIT_LAST_MISS ? SAMPLE_LEVEL_REMOTE_RAM
						    : SAMPLE_LEVEL_REMOTE_CACHE;
	if (events & EVENT_BIT_LAST_MISS)
		return SAMPLE_LEVEL_RAM;
	if (events & EVENT_BIT_LAST)
		return SAMPLE_LEVEL_L3;
	if (events & EVENT_BIT_L1)
		return events & EVENT_BIT_L1_REFILL ? SAMPLE_LEVEL_CACHE
						    : SAMPLE_LEVEL_L1;
	return 0;
}

static unsigned
tlb_of(const struct record *record)
{
	if (record->events & EVENT_BIT_WALK)
		return SAMPLE_TLB_WALK;
	return record->events & EVENT_BIT_TLB ? SAMPLE_TLB_HIT : 0;
}

/* 56 bits; the kernel's half is told by the highest of them */
static uint64_t
address_of(uint64_t payload)
{
	uint64_t address = payload & ((UINT64_C(1) << 56) - 1);

	return payload >> 55 & 1 ? address | UINT64_C(0xff) << 56 : address;
}

static void
take(struct record *record, const struct spe_packet *packet)
{
	struct memory_sample *sample = &record->sample;

	record->begun = true;
	switch (packet->type) {
	case SPE_ADDRESS:
		if (packet->index == ADDRESS_PC)
			sample->ip = address_of(packet->payload);
		else if (packet->index == ADDRESS_DATA)
			sample->address = address_of(packet->payload);
		else if (packet->index == ADDRESS_PHYSICAL)
			sample->physical =
				packet->payload & ((UINT64_C(1) << 56) - 1);
		break;
	case SPE_COUNTER:
		if (packet->index == COUNTER_TOTAL)
			sample->latency = (uint32_t)packet->payload;
		else if (packet->index == COUNTER_TRANSLATION)
			sample->translation = (uint32_t)packet->payload;
		break;
	case SPE_OPERATION:
		record->memory = packet->index == CLASS_MEMORY;
		sample->flags =
			packet->payload & 1 ? SAMPLE_OP_STORE : SAMPLE_OP_LOAD;
		break;
	case SPE_EVENTS:
		record->events = packet->payload;
		break;
	case SPE_SOURCE:
		record->source = packet->payload;
		record->has_source = true;
		break;
	case SPE_CONTEXT:
		sample->tid = (uint32_t)packet->payload;
		break;
	default:
		break;
	}
}

static int
finish(struct record *record, spe_visit *visit, void *context)
{
	struct memory_sample *sample = &record->sample;
	int got = 0;

	if (record->memory && sample->address) {
		sample->period = 1;
		sample->flags = SAMPLE_FLAGS(sample->flags, tlb_of(record),
					     level_of(record));
		got = visit(context, sample);
	}
	*record = (struct record){ .begun = false };
	return got;
}

#define PACKET_MAX 10

int
spe_decode(const unsigned char *ring, size_t ring_bytes, uint64_t offset,
	   uint64_t bytes, spe_visit *visit, void *context, uint64_t *damaged)
{
	struct record record = { .begun = false };
	bool lost = false; /* looking for the next record */
	uint64_t at = 0;
	int got = 0;

	while (at < bytes && !got) {
		unsigned char window[PACKET_MAX];
		struct spe_packet packet;
		size_t n = 0;
		int length;

		for (; n < PACKET_MAX && at + n < bytes; n++)
			window[n] = ring[(offset + at + n) & (ring_bytes - 1)];
		length = spe_packet_next(window, n, &packet);
		if (!length)
			break;
		if (length < 0) {
			*damaged += !lost;
			lost = true;
			at++;
			continue;
		}
		at += (uint64_t)length;
		if (packet.type == SPE_PADDING)
			continue;
		if (packet.type != SPE_END && packet.type != SPE_TIMESTAMP) {
			take(&record, &packet);
			continue;
		}
		/* The end of what was damaged: the next one is whole again */
		if (lost)
			record = (struct record){ .begun = false };
		else
			got = finish(&record, visit, context);
		lost = false;
	}
	*damaged += record.begun && !lost;
	return got;
}
