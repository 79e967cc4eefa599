// SPDX-License-Identifier: GPL-2.0-or-later
/*
 *	0    legacy: x87, mxcsr, xmm0-15 at 160
 *	512  header: XSTATE_BV, XCOMP_BV
 *	...  components where CPUID leaf 0xD says: 2 upper halves of ymm0-15,
 *	     5 k0-7, 6 upper halves of zmm0-15, 7 zmm16-31
 *
 * A component whose bit in XSTATE_BV is clear is in its initial state: zero.
 */
#include "tracers/xstate.h"
#include "analyzer/base.h"

#include <cpuid.h>
#include <string.h>

#define HEADER	     512
#define HEADER_BYTES 64
#define STATUS	     2 /* of x87; its stack's top in bits 11 to 13 */
#define STACK	     32
#define XMM	     160
#define VECTORS	     32

enum component {
	COMPONENT_X87,
	COMPONENT_SSE,
	COMPONENT_YMM,
	COMPONENT_OPMASK = 5,
	COMPONENT_ZMM_HIGH,
	COMPONENT_ZMM_16,
	COMPONENTS = 63,
};

/* Start of n_bytes of entry `index` of a component, or NULL if it is zero */
static const uint8_t *
part(const uint8_t *state, size_t bytes, unsigned component, unsigned index,
     size_t n_bytes)
{
	uint64_t present;
	unsigned size, offset = XMM, ecx, edx;

	if (bytes < HEADER + HEADER_BYTES)
		return NULL;
	memcpy(&present, state + HEADER, sizeof(present));
	if (!(present >> component & 1))
		return NULL;
	if (component > COMPONENT_SSE)
		__cpuid_count(0xd, component, size, offset, ecx, edx);
	if (offset + (index + 1) * n_bytes > bytes)
		return NULL;
	return state + offset + index * n_bytes;
}

static void
copy_part(uint8_t *to, const uint8_t *from, size_t n_bytes)
{
	if (from)
		memcpy(to, from, n_bytes);
}

/* The registers are numbered from where they are, the image from the top */
static void
mmx(const uint8_t *state, size_t bytes, unsigned number, uint8_t value[64])
{
	uint64_t present;
	unsigned top;

	if (bytes < HEADER + HEADER_BYTES)
		return;
	memcpy(&present, state + HEADER, sizeof(present));
	if (!(present >> COMPONENT_X87 & 1))
		return;
	top = state[STATUS + 1] >> 3 & 7u;
	memcpy(value, state + STACK + 16 * ((number - top) & 7), 8);
}

void
xstate_vector(const uint8_t *state, size_t bytes, unsigned number,
	      uint8_t value[64])
{
	memset(value, 0, 64);
	if (number >= VECTORS) {
		mmx(state, bytes, number - VECTORS, value);
		return;
	}
	if (number >= 16) {
		copy_part(value,
			  part(state, bytes, COMPONENT_ZMM_16, number - 16, 64),
			  64);
		return;
	}
	copy_part(value, part(state, bytes, COMPONENT_SSE, number, 16), 16);
	copy_part(value + 16, part(state, bytes, COMPONENT_YMM, number, 16),
		  16);
	copy_part(value + 32,
		  part(state, bytes, COMPONENT_ZMM_HIGH, number, 32), 32);
}

uint64_t
xstate_opmask(const uint8_t *state, size_t bytes, unsigned number)
{
	const uint8_t *from = part(state, bytes, COMPONENT_OPMASK, number, 8);
	uint64_t value = 0;

	if (from)
		memcpy(&value, from, sizeof(value));
	return value;
}

static uint64_t
enabled_components(void)
{
	uint32_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (uint64_t)high << 32 | low;
}

void
xstate_layout_init(struct xstate_layout *layout)
{
	*layout = (struct xstate_layout){ .enabled = enabled_components() };
	for (unsigned i = COMPONENT_YMM; i < COMPONENTS; i++) {
		unsigned flags, edx;

		if (layout->enabled >> i & 1)
			__cpuid_count(0xd, i, layout->size[i],
				      layout->offset[i], flags, edx);
		else
			continue;
		layout->aligned |= (uint64_t)(flags >> 1 & 1) << i;
	}
}

uint32_t
xstate_save_bytes(const struct xstate_layout *layout, uint64_t components,
		  bool compact)
{
	uint32_t end = HEADER + HEADER_BYTES;

	components &= layout->enabled;
	for (unsigned i = COMPONENT_YMM; i < COMPONENTS; i++) {
		if (!(components >> i & 1))
			continue;
		if (!compact) {
			uint32_t to = layout->offset[i] + layout->size[i];

			end = to > end ? to : end;
			continue;
		}
		if (layout->aligned >> i & 1)
			end = (end + 63) & ~UINT32_C(63);
		end += layout->size[i];
	}
	return end;
}
