// SPDX-License-Identifier: GPL-2.0-or-later
/* Machines as the command line names them; see machine-list.h. */
#include "models/machine-list.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"

/* A spec taken apart; all in one copy of it. */
struct spec {
	const char *whole;
	char *copy, *label, *name; /* label: NULL if it has none */
	char **own;		   /* NULL-ended assignments */
};

static void
spec_fini(struct spec *spec)
{
	free(spec->copy);
	free(spec->own);
}

/* Does an assignment start here: lower case, digits, dots, dashes up to '='? */
static bool
assignment_at(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789.-");

	return n && text[n] == '=' && islower((unsigned char)text[0]);
}

static int
split_assignments(struct spec *spec, char *text)
{
	size_t n = 0, max = 2;

	for (const char *at = text; *at; at++)
		max += *at == ',';
	spec->own = calloc(max, sizeof(*spec->own));
	if (!spec->own)
		return fail(ENOMEM, "machines: no memory");
	while (text) {
		char *comma = text;

		if (!assignment_at(text))
			return fail(EUSAGE,
				    "--machine %s: \"%s\" is no OPTION=VALUE",
				    spec->whole, text);
		spec->own[n++] = text;
		do {
			comma = strchr(comma + 1, ',');
		} while (comma && !assignment_at(comma + 1));
		if (comma)
			*comma++ = '\0';
		text = comma;
	}
	return 0;
}

static bool
is_option(const char *name)
{
	return option_find(&machine_options, name, NULL) != NULL;
}

static int
spec_init(struct spec *spec, const char *text)
{
	char *colon, *equal;

	*spec = (struct spec){ .whole = text, .copy = strdup(text) };
	if (!spec->copy)
		return fail(ENOMEM, "machines: no memory");
	spec->name = spec->copy;
	colon = strchr(spec->copy, ':');
	if (colon)
		*colon++ = '\0';
	equal = strchr(spec->copy, '=');
	if (equal) {
		*equal = '\0';
		spec->label = spec->copy;
		spec->name = equal + 1;
	}
	if (spec->label && !colon && is_option(spec->label))
		return fail(EUSAGE,
			    "--machine %s: names no machine; write :%s for "
			    "that of --cpu, changed",
			    text, text);
	if (spec->label && !*spec->label)
		return fail(EUSAGE, "--machine %s: an empty label", text);
	if (!*spec->name && !colon)
		return fail(EUSAGE, "--machine \"%s\": names no machine", text);
	return colon && (*colon || *spec->name) ? split_assignments(spec, colon)
						: 0;
}

static bool
is_file(const char *name)
{
	size_t n = strlen(name);

	return strchr(name, '/') || (n > 4 && !strcmp(name + n - 4, ".cfg"));
}

static int
choice_names(struct machine_choice *choice, const struct spec *spec,
	     const char *cpu)
{
	const char *name = spec->whole;

	if (spec->label)
		name = spec->label;
	choice->cpu = strdup(cpu);
	if (name[0] == ':') {
		choice->name = malloc(strlen(cpu) + strlen(name) + 1);
		if (choice->name)
			strcat(strcpy(choice->name, cpu), name);
	} else {
		choice->name = strdup(name);
	}
	return choice->name && choice->cpu
		       ? 0
		       : fail(ENOMEM, "machines: no memory");
}

/* What a machine is called that no --machine names */
static const char *
common_name(const struct machine_common *common)
{
	return common->cpu ? common->cpu : MACHINE_DEFAULT;
}

static int
choice_init(struct machine_choice *choice, const char *text,
	    const struct machine_common *common)
{
	char where[512];
	struct machine_layers layers = { .cpu = common->cpu,
					 .path = common->path,
					 .sets = common->sets,
					 .where = where };
	struct spec spec;
	int error = spec_init(&spec, text);

	snprintf(where, sizeof(where), "--machine %s", text);
	if (!error && *spec.name) {
		layers.path = is_file(spec.name) ? spec.name : NULL;
		layers.cpu = layers.path ? NULL : spec.name;
	}
	layers.own = spec.own;
	if (!error)
		error = choice_names(choice, &spec,
				     *spec.name ? spec.name
						: common_name(common));
	if (!error)
		error = machine_configure_layers(&choice->config, &layers);
	spec_fini(&spec);
	return error;
}

static int
check_names(const struct machine_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		for (size_t j = 0; j < i; j++)
			if (!strcmp(list->machine[i].name,
				    list->machine[j].name))
				return fail(EUSAGE,
					    "--machine %s: twice; LABEL=%s "
					    "tells it apart",
					    list->machine[i].name,
					    list->machine[i].name);
	return 0;
}

/* Would nobody use them? */
static int
check_common(char *const *specs, const struct machine_common *common)
{
	if (!common->cpu && !common->path)
		return 0;
	for (size_t i = 0; specs[i]; i++) {
		const char *name = strpbrk(specs[i], ":=");

		if (specs[i][0] == ':' ||
		    (name && name[0] == '=' && name[1] == ':'))
			return 0;
	}
	return fail(EUSAGE,
		    "%s %s: every --machine names its own; write "
		    "--machine :OPTION=VALUE for this one, changed",
		    common->cpu ? "--cpu" : "--config",
		    common->cpu ? common->cpu : common->path);
}

/* The one machine that no --machine names */
static int
choice_common(struct machine_choice *choice,
	      const struct machine_common *common)
{
	const char *name = common_name(common);

	choice->name = strdup(name);
	choice->cpu = strdup(name);
	if (!choice->name || !choice->cpu)
		return fail(ENOMEM, "machines: no memory");
	return machine_configure(&choice->config, common->cpu, common->path,
				 common->sets);
}

static int
fill(struct machine_list *list, char *const *specs, size_t n,
     const struct machine_common *common)
{
	int error = 0;

	list->machine = calloc(n + 1, sizeof(*list->machine));
	if (!list->machine)
		return fail(ENOMEM, "machines: no memory");
	while (!error && list->n < (n ? n : 1)) {
		struct machine_choice *choice = &list->machine[list->n];

		if (option_init(&machine_options, &choice->config))
			error = fail(ENOMEM, "machines: no memory");
		else
			error = n ? choice_init(choice, specs[list->n], common)
				  : choice_common(choice, common);
		list->n++;
	}
	return error ? error : check_names(list);
}

int
machine_list_init(struct machine_list *list, char *const *specs,
		  const struct machine_common *common)
{
	size_t n = 0;
	int error = 0;

	while (specs && specs[n])
		n++;
	*list = (struct machine_list){ NULL, 0 };
	if (n > MACHINES_MAX)
		error = fail(EUSAGE, "--machine: %zu of them; %d at most", n,
			     MACHINES_MAX);
	else if (n)
		error = check_common(specs, common);
	if (!error)
		error = fill(list, specs, n, common);
	if (error)
		machine_list_fini(list);
	return error;
}

void
machine_list_fini(struct machine_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		option_fini(&machine_options, &list->machine[i].config);
		free(list->machine[i].name);
		free(list->machine[i].cpu);
	}
	free(list->machine);
	*list = (struct machine_list){ NULL, 0 };
}
