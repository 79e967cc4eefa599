// SPDX-License-Identifier: GPL-2.0-or-later
/* Who the processor is, its caches and tables; see detect.h. */
#include "analyzer/detect.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __x86_64__
#include <cpuid.h>

static void
cpuid_here(void *context, uint32_t leaf, uint32_t subleaf,
	   uint32_t registers[4])
{
	(void)context;
	__cpuid_count(leaf, subleaf, registers[0], registers[1], registers[2],
		      registers[3]);
}

void (*const detect_cpuid)(void *context, uint32_t leaf, uint32_t subleaf,
			   uint32_t registers[4]) = cpuid_here;
#else
void (*const detect_cpuid)(void *context, uint32_t leaf, uint32_t subleaf,
			   uint32_t registers[4]) = NULL;
#endif

void
detect_add(struct detected *out, const char *source, const char *part,
	   const char *field, const char *format, ...)
{
	struct detect_figure *figure = out->figure;
	char option[sizeof(figure->option)];
	va_list args;

	snprintf(option, sizeof(option), "%s.%s", part, field);
	while (figure < out->figure + out->n && strcmp(figure->option, option))
		figure++;
	if (figure == out->figure + DETECT_FIGURES)
		return;
	out->n += figure == out->figure + out->n;
	snprintf(figure->option, sizeof(figure->option), "%s", option);
	snprintf(figure->source, sizeof(figure->source), "%s", source);
	va_start(args, format);
	vsnprintf(figure->value, sizeof(figure->value), format, args);
	va_end(args);
}

void
detect_remark(struct detected *out, const char *format, ...)
{
	va_list args;

	if (out->n_remarks == DETECT_REMARKS)
		return;
	va_start(args, format);
	vsnprintf(out->remark[out->n_remarks++], sizeof(out->remark[0]), format,
		  args);
	va_end(args);
}

/* The file's first line without its end; false: there is none. */
static bool
read_line(const struct detect_host *host, const char *path, char *text,
	  size_t bytes)
{
	char full[512];
	FILE *file;
	bool got;

	snprintf(full, sizeof(full), "%s%s", host->root, path);
	file = fopen(full, "re");
	if (!file)
		return false;
	got = fgets(text, (int)bytes, file) != NULL;
	fclose(file);
	if (got)
		text[strcspn(text, "\n")] = '\0';
	return got;
}

/* Which preset is nearest, by maker and family and model (display ones) */
static const struct known {
	char vendor; /* 'A'uthenticAMD, 'G'enuineIntel */
	uint8_t family, first, last;
	const char *preset;
} knowns[] = {
	{ 'A', 0x17, 0x00, 0x2f, "zen1" },
	{ 'A', 0x17, 0x30, 0xff, "zen2" },
	{ 'A', 0x19, 0x10, 0x1f, "zen4" },
	{ 'A', 0x19, 0x60, 0x7f, "zen4" },
	{ 'A', 0x19, 0xa0, 0xaf, "zen4" },
	{ 'A', 0x19, 0x00, 0xff, "zen3" },
	{ 'A', 0x1a, 0x00, 0xff, "zen5" },
	{ 'G', 6, 0x3c, 0x3c, "haswell" },
	{ 'G', 6, 0x3f, 0x3f, "haswell" },
	{ 'G', 6, 0x45, 0x46, "haswell" },
	{ 'G', 6, 0x3d, 0x3d, "broadwell" },
	{ 'G', 6, 0x47, 0x47, "broadwell" },
	{ 'G', 6, 0x4f, 0x4f, "broadwell" },
	{ 'G', 6, 0x56, 0x56, "broadwell" },
	{ 'G', 6, 0x4e, 0x4e, "skylake-sp" },
	{ 'G', 6, 0x5e, 0x5e, "skylake-sp" },
	{ 'G', 6, 0x55, 0x55, "skylake-sp" },
	{ 'G', 6, 0x8e, 0x8e, "skylake-sp" },
	{ 'G', 6, 0x9e, 0x9e, "skylake-sp" },
	{ 'G', 6, 0x6a, 0x6c, "icelake-sp" },
	{ 'G', 6, 0x7d, 0x7e, "icelake-sp" },
	{ 'G', 6, 0x8f, 0x8f, "sapphire-rapids" },
	{ 'G', 6, 0xcf, 0xcf, "sapphire-rapids" },
	{ 'G', 6, 0x97, 0x97, "alder-lake" },
	{ 'G', 6, 0x9a, 0x9a, "alder-lake" },
	{ 'G', 6, 0xb7, 0xbf, "alder-lake" },
};

/* Parts of MIDR_EL1 with Arm as the implementer (41h) */
static const struct {
	unsigned part;
	const char *preset, *name;
} arms[] = {
	{ 0xd0c, "neoverse-n1", "Arm Neoverse N1" },
	{ 0xd40, "neoverse-v1", "Arm Neoverse V1" },
	{ 0xd49, "neoverse-n2", "Arm Neoverse N2" },
	{ 0xd4f, "neoverse-v2", "Arm Neoverse V2" },
};

static void
identify_x86(const struct detect_host *host, struct detected *out, char *vendor)
{
	uint32_t r[4], brand[13] = { 0 };
	unsigned family, model;
	char *name;

	host->cpuid(host->context, 0, 0, r);
	memcpy(vendor, &r[1], 4);
	memcpy(vendor + 4, &r[3], 4);
	memcpy(vendor + 8, &r[2], 4);
	vendor[12] = '\0';
	host->cpuid(host->context, 1, 0, r);
	family = r[0] >> 8 & 15;
	model = r[0] >> 4 & 15;
	if (family == 6 || family == 15)
		model |= r[0] >> 12 & 0xf0;
	if (family == 15)
		family += r[0] >> 20 & 255;
	snprintf(out->identity, sizeof(out->identity),
		 "%s family %u model %u stepping %u", vendor, family, model,
		 r[0] & 15);
	for (size_t i = 0; i < ARRAY_SIZE(knowns) && !out->preset; i++)
		if (knowns[i].vendor == vendor[0] &&
		    knowns[i].family == family && knowns[i].first <= model &&
		    model <= knowns[i].last)
			out->preset = knowns[i].preset;
	if (r[2] >> 31)
		detect_remark(out, "a hypervisor is below: the figures are "
				   "those that it shows");
	host->cpuid(host->context, 0x80000000, 0, r);
	for (uint32_t i = 0; r[0] >= 0x80000004 && i < 3; i++)
		host->cpuid(host->context, 0x80000002 + i, 0, brand + 4 * i);
	name = (char *)brand;
	while (*name == ' ')
		name++;
	snprintf(out->name, sizeof(out->name), "%s",
		 *name ? name : out->identity);
}

static void
identify_arm(const struct detect_host *host, struct detected *out)
{
	char text[64];
	unsigned long long midr;

	if (!read_line(host,
		       "/sys/devices/system/cpu/cpu0/regs/identification/"
		       "midr_el1",
		       text, sizeof(text)))
		return;
	midr = strtoull(text, NULL, 0);
	snprintf(out->identity, sizeof(out->identity), "MIDR_EL1 %#llx", midr);
	snprintf(out->name, sizeof(out->name), "%s", out->identity);
	for (size_t i = 0; i < ARRAY_SIZE(arms); i++)
		if (midr >> 24 == 0x41 && (midr >> 4 & 0xfff) == arms[i].part) {
			out->preset = arms[i].preset;
			snprintf(out->name, sizeof(out->name), "%s",
				 arms[i].name);
		}
	detect_remark(out, "TLBs: no register tells of them");
}

struct shape {
	unsigned level, ways, line;
	char type; /* 'D'ata, 'I'nstruction, 'U'nified */
	uint64_t size;
};

static void
put_cache(struct detected *out, const struct shape *shape, const char *source)
{
	const char *part = shape->level == 1 && shape->type == 'D' ? "cache.l1d"
			   : shape->level == 1 && shape->type == 'I'
				   ? "cache.l1i"
			   : shape->level == 2 ? "cache.l2"
			   : shape->level == 3 ? "cache.l3"
					       : NULL;
	uint64_t lines = shape->line ? shape->size / shape->line : 0;
	unsigned ways = shape->ways;

	if (!part || !lines || !shape->size)
		return;
	detect_add(out, source, part, "size", "%llu",
		   (unsigned long long)shape->size);
	if (ways && lines % ways)
		detect_remark(out,
			      "%s: %u ways do not divide its lines; it is "
			      "taken for fully associative",
			      part, ways);
	detect_add(out, source, part, "ways", "%u",
		   ways && lines % ways ? 0 : ways);
	detect_add(out, source, part, "line", "%u", shape->line);
}

/* "32K": bytes */
static uint64_t
kernel_size(const char *text)
{
	char *end;
	uint64_t n = strtoull(text, &end, 10);

	return *end == 'K' ? n << 10 : *end == 'M' ? n << 20 : n;
}

static bool
caches_of_kernel(const struct detect_host *host, struct detected *out)
{
	static const char *const names[] = { "level", "type", "size",
					     "ways_of_associativity",
					     "coherency_line_size" };
	bool any = false;

	for (unsigned i = 0; i < 8; i++) {
		char path[128], text[ARRAY_SIZE(names)][32] = { "" };
		struct shape shape;

		for (size_t j = 0; j < ARRAY_SIZE(names); j++) {
			snprintf(path, sizeof(path),
				 "/sys/devices/system/cpu/cpu0/cache/index%u/"
				 "%s",
				 i, names[j]);
			read_line(host, path, text[j], sizeof(text[j]));
		}
		if (!text[0][0])
			continue;
		shape = (struct shape){
			.level = (unsigned)atoi(text[0]),
			.type = text[1][0],
			.size = kernel_size(text[2]),
			.ways = (unsigned)atoi(text[3]),
			.line = (unsigned)atoi(text[4]),
		};
		put_cache(out, &shape, "/sys/devices/system/cpu/cpu0/cache");
		any |= shape.size && shape.line;
	}
	return any;
}

/* Leaf 4h of Intel, 8000_001Dh of AMD: the same format */
static bool
caches_of_cpuid(const struct detect_host *host, bool amd, struct detected *out)
{
	uint32_t leaf = amd ? 0x8000001d : 4, r[4];
	bool any = false;

	host->cpuid(host->context, leaf & 0x80000000, 0, r);
	if (r[0] < leaf)
		return false;
	for (uint32_t i = 0; i < 8; i++) {
		struct shape shape;

		host->cpuid(host->context, leaf, i, r);
		if (!(r[0] & 31))
			break;
		shape = (struct shape){ .level = r[0] >> 5 & 7,
					.type = "?DIU"[r[0] & 3],
					.ways = (r[1] >> 22) + 1,
					.line = (r[1] & 4095) + 1 };
		shape.size = (uint64_t)shape.ways * shape.line *
			     ((r[1] >> 12 & 1023) + 1) * ((uint64_t)r[2] + 1);
		if (r[0] & 512)
			shape.ways = 0;
		put_cache(out, &shape, amd ? "CPUID 8000_001Dh" : "CPUID 4h");
		any = true;
	}
	return any;
}

/* Levels of the table and ASIDs, as Linux uses what is there */
static void
detect_tables(const struct detect_host *host, struct detected *out)
{
	uint32_t r[4];

	host->cpuid(host->context, 0, 0, r);
	if (r[0] >= 7) {
		host->cpuid(host->context, 7, 0, r);
		detect_add(out, "CPUID 7h, LA57", "table", "levels", "%u",
			   r[2] >> 16 & 1 ? 5 : 4);
	}
	host->cpuid(host->context, 1, 0, r);
	if (!(r[2] >> 17 & 1)) {
		detect_add(out, "CPUID 1h: no PCID", "tlb", "asids", "0");
		detect_remark(out, "PCIDs: there are none, so each switch of "
				   "address spaces flushes the TLBs");
	}
}

#define CORES_MAX 1024u /* of machine.cores */

/* Processors that are online: "0-3,8-11". */
static void
detect_cores(const struct detect_host *host, struct detected *out)
{
	static const char source[] = "/sys/devices/system/cpu/online";
	char line[256], *at = line;
	unsigned long cores = 0;

	if (!read_line(host, source, line, sizeof(line)))
		return;
	while (*at >= '0' && *at <= '9') {
		unsigned long first = strtoul(at, &at, 10), last = first;

		if (*at == '-')
			last = strtoul(at + 1, &at, 10);
		cores += last >= first ? last - first + 1 : 0;
		at += *at == ',';
	}
	if (cores > CORES_MAX)
		detect_remark(out, "%lu processors, of which a machine has %u",
			      cores, CORES_MAX);
	if (cores)
		detect_add(out, source, "machine", "cores", "%lu",
			   cores < CORES_MAX ? cores : CORES_MAX);
}

/* Nodes and distances, row by row; those that hold no memory count too. */
static void
detect_nodes(const struct detect_host *host, struct detected *out)
{
	static const char source[] = "/sys/devices/system/node";
	char path[96], line[256], matrix[256] = "";
	size_t used = 0;
	unsigned nodes = 0;

	for (;; nodes++) {
		snprintf(path, sizeof(path), "%s/node%u/distance", source,
			 nodes);
		if (!read_line(host, path, line, sizeof(line)))
			break;
		if (used < sizeof(matrix))
			used += (size_t)snprintf(matrix + used,
						 sizeof(matrix) - used, "%s%s",
						 nodes ? "; " : "", line);
	}
	if (!nodes)
		return;
	detect_add(out, source, "numa", "nodes", "%u", nodes);
	if (nodes > 1 && used < sizeof(matrix))
		detect_add(out, source, "numa", "distances", "%s", matrix);
	else if (nodes > 1)
		detect_remark(out,
			      "distances of %u nodes: too many to write "
			      "down; numa.topology=live reads them",
			      nodes);
}

void
detect(const struct detect_host *host, struct detected *out)
{
	char vendor[13] = "";
	bool amd;

	*out = (struct detected){ .n = 0 };
	if (host->cpuid)
		identify_x86(host, out, vendor);
	else
		identify_arm(host, out);
	amd = vendor[0] == 'A' || vendor[0] == 'H'; /* Hygon is a Zen */
	if (host->cpuid)
		detect_tlbs(host, amd, out);
	if (!caches_of_kernel(host, out) &&
	    (!host->cpuid || !caches_of_cpuid(host, amd, out)))
		detect_remark(out, "caches: neither the kernel nor CPUID tells "
				   "of them");
	if (host->cpuid)
		detect_tables(host, out);
	detect_cores(host, out);
	detect_nodes(host, out);
	if (!out->preset)
		detect_remark(out, "no preset is of this core: what is not "
				   "detected is the default machine's");
}
