// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pagescope config list|show|detect: the presets, what a machine's options come
 * to, and what this host is, as files that --config takes back.
 */
#include "analyzer/cmd-config.h"
#include "analyzer/fail.h"
#include "analyzer/verb.h"
#include "models/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct config_config {
	char *path;  /* --config */
	char **sets; /* --set */
};

static const struct option_row config_rows[] = {
	{ .name = "config",
	  .type = OPTION_STRING,
	  .offset = offsetof(struct config_config, path),
	  .argument = "FILE",
	  .help = "lay this file over the preset" },
	{ .name = "set",
	  .type = OPTION_LIST,
	  .offset = offsetof(struct config_config, sets),
	  .argument = "NAME=VALUE",
	  .help = "set one option over preset and file" },
	{ NULL },
};

static const struct option_group config_groups[] = {
	{ "", config_rows, 0, NULL },
	{ NULL },
};

static const struct option_tree config_options = {
	config_groups, sizeof(struct config_config)
};

/* How far into the nested groups the printing is. */
struct printer {
	char path[256];			 /* of the open groups, with dots */
	const struct detected *detected; /* or NULL: config show */
	FILE *file;
};

static unsigned
depth_of(const char *path)
{
	unsigned depth = path[0] != '\0';

	for (; *path; path++)
		depth += *path == '.';
	return depth;
}

static void
indent(const struct printer *printer, unsigned depth)
{
	while (depth--)
		putc('\t', printer->file);
}

/* Is `group` the path or does it lie within? */
static bool
within(const char *path, const char *group)
{
	size_t length = strlen(path);

	return !length || (!strncmp(path, group, length) &&
			   (group[length] == '.' || !group[length]));
}

/* Close and open groups until those that are open are those of `group`. */
static void
move_to(struct printer *printer, const char *group)
{
	char *path = printer->path;

	while (!within(path, group)) {
		char *dot = strrchr(path, '.');

		*(dot ? dot : path) = '\0';
		indent(printer, depth_of(path));
		fputs("};\n", printer->file);
	}
	while (strcmp(path, group) != 0) {
		const char *name = group + strlen(path) + (path[0] != '\0');
		int length = (int)strcspn(name, ".");

		indent(printer, depth_of(path));
		fprintf(printer->file, "%.*s = {\n", length, name);
		snprintf(path, sizeof(printer->path), "%.*s",
			 (int)(name - group) + length, group);
	}
}

static void
print_quoted(const char *text, FILE *file)
{
	putc('"', file);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putc('\\', file);
		putc(*text, file);
	}
	putc('"', file);
}

/* Beside a value: what it means, or where it comes from. */
static void
print_remark(const struct printer *printer, const char *name,
	     const struct option_row *row)
{
	const struct detected *detected = printer->detected;

	for (size_t i = 0; detected && i < detected->n; i++)
		if (!strcmp(detected->figure[i].option, name)) {
			const char *source = detected->figure[i].source;

			fprintf(printer->file, "; // [%c] %s\n",
				!strncmp(source, "measured", 8) ? 'M' : 'D',
				source);
			return;
		}
	if (detected)
		fprintf(printer->file, "; // [A] %s%s\n",
			detected->preset ? "as preset " : "as the default",
			detected->preset ? detected->preset : "");
	else
		fprintf(printer->file, "; // %s%s%s\n", row->help,
			row->unit ? ", " : "", row->unit ? row->unit : "");
}

static int
print_row(void *context, const char *dotted_name, const struct option_row *row,
	  const void *struct_start)
{
	struct printer *printer = context;
	const char *dot = strrchr(dotted_name, '.');
	char value[1024], group[256];

	snprintf(group, sizeof(group), "%.*s",
		 dot ? (int)(dot - dotted_name) : 0, dotted_name);
	option_print(row, struct_start, value, sizeof(value));
	move_to(printer, group);
	indent(printer, depth_of(group));
	fprintf(printer->file, "%s = ", dot ? dot + 1 : dotted_name);
	if (row->type == OPTION_STRING || row->type == OPTION_CHOICE ||
	    row->type == OPTION_TIME)
		print_quoted(value, printer->file);
	else
		fputs(value, printer->file);
	print_remark(printer, dotted_name, row);
	return 0;
}

static int
config_show(const struct config_config *config, const char *preset)
{
	struct printer printer = { .file = stdout };
	struct machine_config *machine = calloc(1, sizeof(*machine));
	int error;

	if (!machine)
		return fail(ENOMEM, "config: no memory");
	error = option_init(&machine_options, machine);
	if (!error)
		error = machine_configure(machine, preset, config->path,
					  config->sets);
	if (!error) {
		option_each(&machine_options, machine, print_row, &printer);
		move_to(&printer, "");
	}
	option_fini(&machine_options, machine);
	free(machine);
	return error;
}

static int
list_one(const char *name)
{
	struct machine_config machine;
	int error = option_init(&machine_options, &machine);

	if (!error)
		error = machine_configure(&machine, name, NULL, NULL);
	if (!error)
		printf("%-16s %s\n", name, machine.about);
	option_fini(&machine_options, &machine);
	return error;
}

static int
config_list(void)
{
	char **names;
	size_t n;
	int error = preset_names(&names, &n);

	if (error)
		return error;
	error = list_one(MACHINE_DEFAULT);
	for (size_t i = 0; !error && i < n; i++)
		error = list_one(names[i]);
	preset_names_free(names, n);
	return error;
}

int
config_apply(struct machine_config *machine, struct detected *detected)
{
	int error = machine_configure(machine, detected->preset, NULL, NULL);

	detect_add(detected, detected->identity, "machine", "about", "%s",
		   detected->name);
	for (size_t i = 0; !error && i < detected->n; i++)
		error = option_set(&machine_options, machine, "detect",
				   detected->figure[i].option,
				   detected->figure[i].value);
	return error ? error : machine_check(machine);
}

void
config_write(const struct machine_config *machine,
	     const struct detected *detected, FILE *file)
{
	struct printer printer = { .detected = detected, .file = file };

	fprintf(file, "# %s (%s), as it shows itself here.\n", detected->name,
		detected->identity);
	fputs("# Origins: [D] detected, and where; [M] measured here; [A] "
	      "assumed.\n",
	      file);
	for (size_t i = 0; i < detected->n_remarks; i++)
		fprintf(file, "# Not seen: %s.\n", detected->remark[i]);
	putc('\n', file);
	option_each(&machine_options, machine, print_row, &printer);
	move_to(&printer, "");
}

static int
config_detect(void)
{
	const struct detect_host host = { "", detect_cpuid, NULL };
	struct detected detected;
	struct machine_config *machine = calloc(1, sizeof(*machine));
	int error;

	if (!machine)
		return fail(ENOMEM, "config: no memory");
	detect(&host, &detected);
	error = option_init(&machine_options, machine);
	if (!error)
		error = config_apply(machine, &detected);
	if (!error)
		config_write(machine, &detected, stdout);
	option_fini(&machine_options, machine);
	free(machine);
	return error;
}

static int
config_run(const struct verb_call *call)
{
	static const char *const words[] = { "list", "show", "detect" };
	const char *what = call->argc ? call->argv[0] : "", *near;

	if (!strcmp(what, "list") && call->argc == 1)
		return config_list();
	if (!strcmp(what, "show") && call->argc <= 2)
		return config_show(call->config, call->argv[1]);
	if (!strcmp(what, "detect") && call->argc == 1)
		return config_detect();
	near = option_nearest(what, words, ARRAY_SIZE(words));
	if (near && strcmp(near, what) != 0)
		fail(EINVAL,
		     "config: unknown word \"%s\"; did you mean \"%s\"?", what,
		     near);
	else
		fail(EINVAL,
		     "config: say `config list`, `config show [PRESET]` or "
		     "`config detect`");
	return STATUS_USAGE;
}

const struct verb_ops config_verb = {
	.name = "config",
	.help = "list the presets of machines, show all options of one, "
		"detect this host",
	.arguments = "[OPTION...] list | show [PRESET] | detect",
	.details =
		"`config list` names the presets, one a line, with the machine "
		"each stands for; `default` is the one without --cpu.\n\n"
		"`config show` prints every option of the default machine, or "
		"of a preset, with --config and --set laid over it in this "
		"order, as a file in libconfig's syntax that `--config` takes "
		"back; what an option means stands beside it.\n\n"
		"`config detect` prints this host as such a file: what CPUID and "
		"the kernel tell of its TLBs, caches and tables ([D], and "
		"where), the rest as the preset of the core that it is ([A]). "
		"Its head says what is hidden; in a virtual machine the "
		"hypervisor decides what is shown.\n\n"
		"Presets are looked for in the directory that the environment "
		"variable PAGESCOPE_PRESETS names, in models/presets beside "
		"the program (where it was built), and where they were "
		"installed.",
	.examples = "pagescope config list\n"
		    "# the machine that this is\n"
		    "pagescope config detect >host.cfg\n"
		    "pagescope config show --config host.cfg\n"
		    "# a machine of one's own\n"
		    "pagescope config show skylake-sp >my.cfg\n"
		    "pagescope config show --config my.cfg "
		    "--set tlb.l2.entries=3072\n",
	.lists = LIST_MODELS | LIST_TABLES,
	.options = &config_options,
	.run = config_run,
};
