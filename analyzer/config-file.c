// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libconfig parses; every value it found becomes text and goes through the
 * option's row, so that a file, --set and the command line say the same about
 * the same mistake.
 */
#include "analyzer/config-file.h"

#include "analyzer/fail.h"

#include <assert.h>
#include <ctype.h>
#include <libconfig.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_BYTES_MAX (1 << 20) /* a configuration is small */

struct loading {
	const struct option_tree *tree;
	void *config;
	const char *file;
};

static int
value_text(const config_setting_t *setting, char *text, size_t text_bytes,
	   const char **value)
{
	*value = text;
	switch (config_setting_type(setting)) {
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		snprintf(text, text_bytes, "%lld",
			 config_setting_get_int64(setting));
		return 0;
	case CONFIG_TYPE_FLOAT:
		snprintf(text, text_bytes, "%.17g",
			 config_setting_get_float(setting));
		return 0;
	case CONFIG_TYPE_BOOL:
		snprintf(text, text_bytes, "%s",
			 config_setting_get_bool(setting) ? "true" : "false");
		return 0;
	case CONFIG_TYPE_STRING:
		*value = config_setting_get_string(setting);
		return 0;
	default:
		return -EINVAL;
	}
}

static int
load_scalar(const struct loading *loading, const config_setting_t *setting,
	    const char *name)
{
	char number[64], where[512];
	const char *value;

	snprintf(where, sizeof(where), "%s:%u", loading->file,
		 config_setting_source_line(setting));
	if (value_text(setting, number, sizeof(number), &value))
		return fail(EINVAL, "%s: %s: a list may hold only plain values",
			    where, name);
	return option_set(loading->tree, loading->config, where, name, value);
}

static int
load_list(const struct loading *loading, const config_setting_t *list,
	  const char *name)
{
	const struct option_row *row = option_find(loading->tree, name, NULL);
	int n = config_setting_length(list), error = 0;

	if (row && row->type != OPTION_LIST)
		return fail(EINVAL, "%s:%u: %s takes one value, not a list",
			    loading->file, config_setting_source_line(list),
			    name);
	for (int i = 0; i < n && !error; i++)
		error = load_scalar(loading,
				    config_setting_get_elem(list, (unsigned)i),
				    name);
	return error;
}

/* The depth is bounded by libconfig's own parser stack. */
static int
load_group(const struct loading *loading, const config_setting_t *group,
	   const char *prefix)
{
	int n = config_setting_length(group), error = 0;

	for (int i = 0; i < n && !error; i++) {
		const config_setting_t *setting =
			config_setting_get_elem(group, (unsigned)i);
		char name[256];
		int length = snprintf(name, sizeof(name), "%s%s%s", prefix,
				      prefix[0] ? "." : "",
				      config_setting_name(setting));

		if (length >= (int)sizeof(name))
			return fail(EINVAL, "%s:%u: the name is too long",
				    loading->file,
				    config_setting_source_line(setting));
		if (config_setting_is_group(setting))
			error = load_group(loading, setting, name);
		else if (config_setting_is_aggregate(setting))
			error = load_list(loading, setting, name);
		else
			error = load_scalar(loading, setting, name);
	}
	return error;
}

/* The end of the string that starts here; NULL: it has none. */
static const char *
skip_string(const char *text)
{
	for (text++; *text != '"'; text++) {
		if (*text == '\\')
			text++;
		if (!*text)
			return NULL;
	}
	return text + 1;
}

/*
 * The end of a comment, string or name that starts here; text itself if none
 * does; NULL if it is not ended (libconfig 1.5 takes that silently).  Inside
 * them digits are not numbers.
 */
static const char *
skip_other(const char *text)
{
	const char *end;

	if (text[0] == '#' || (text[0] == '/' && text[1] == '/'))
		return text + strcspn(text, "\n");
	if (text[0] == '/' && text[1] == '*') {
		end = strstr(text + 2, "*/");
		return end ? end + 2 : NULL;
	}
	if (text[0] == '"')
		return skip_string(text);
	if (isalpha((unsigned char)text[0]) || text[0] == '*') {
		for (end = text + 1; isalnum((unsigned char)*end) ||
				     *end == '-' || *end == '_' || *end == '*';
		     end++)
			;
		return end;
	}
	return text;
}

/* The end of the number that starts here; *whole: it is an integer that does
 * not end in L. */
static const char *
skip_number(const char *text, bool *whole)
{
	size_t digits;

	*whole = false;
	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		text += 2;
		text += strspn(text, "0123456789abcdefABCDEF");
	} else {
		digits = strspn(text, "0123456789.eE");
		if (strcspn(text, ".eE") < digits) {
			text += digits;
			/* the sign of an exponent and its digits */
			if ((*text == '+' || *text == '-') &&
			    (text[-1] == 'e' || text[-1] == 'E'))
				text += 1 + strspn(text + 1, "0123456789");
			return text;
		}
		text += digits;
	}
	*whole = *text != 'L';
	return text + strspn(text, "L");
}

static unsigned
line_of(const char *text, const char *place)
{
	unsigned line = 1;

	for (; text < place; text++)
		line += *text == '\n';
	return line;
}

/*
 * libconfig 1.5 silently cuts an integer without an L to 32 bits, so give each
 * one an L.  *out is to be freed.
 */
static int
widen_integers(const char *name, const char *text, char **out)
{
	char *copy = malloc(2 * strlen(text) + 1), *to = copy;

	if (!copy)
		return fail_errno(ENOMEM, "%s", name);
	for (const char *from = text; *from;) {
		const char *end = skip_other(from);
		bool whole = false;

		if (!end) {
			free(copy);
			return fail(EINVAL, "%s:%u: this %s has no end", name,
				    line_of(text, from),
				    *from == '"' ? "string" : "comment");
		}
		if (end == from && isdigit((unsigned char)*from))
			end = skip_number(from, &whole);
		else if (end == from)
			end++;
		memcpy(to, from, (size_t)(end - from));
		to += end - from;
		if (whole)
			*to++ = 'L';
		from = end;
	}
	*to = '\0';
	*out = copy;
	return 0;
}

/* A line that starts with @include, which libconfig would follow. */
static unsigned
find_include(const char *text)
{
	unsigned line = 1;

	for (;;) {
		text += strspn(text, " \t\r");
		if (!strncmp(text, "@include", 8))
			return line;
		text = strchr(text, '\n');
		if (!text)
			return 0;
		text++;
		line++;
	}
}

int
config_load_text(const struct option_tree *tree, void *config, const char *name,
		 const char *text)
{
	struct loading loading = { tree, config, name };
	unsigned include = find_include(text);
	char *wide = NULL;
	config_t parsed;
	int error;

	if (include)
		return fail(EINVAL, "%s:%u: @include is not supported", name,
			    include);
	error = widen_integers(name, text, &wide);
	if (error)
		return error;
	config_init(&parsed);
	if (config_read_string(&parsed, wide))
		error = load_group(&loading, config_root_setting(&parsed), "");
	else
		error = fail(EINVAL, "%s:%d: %s", name,
			     config_error_line(&parsed),
			     config_error_text(&parsed));
	config_destroy(&parsed);
	free(wide);
	return error;
}

/* All of the file as one string; *text is to be freed. */
static int
read_all(FILE *file, const char *name, char **text)
{
	struct stat status;
	size_t length;
	char *bytes;

	if (!fstat(fileno(file), &status) && S_ISDIR(status.st_mode))
		return fail_errno(EISDIR, "%s", name);
	bytes = malloc(FILE_BYTES_MAX + 1);
	if (!bytes)
		return fail_errno(ENOMEM, "%s", name);
	errno = 0;
	length = fread(bytes, 1, FILE_BYTES_MAX + 1, file);
	if (ferror(file)) {
		free(bytes);
		return fail_errno(errno ? errno : EIO, "%s", name);
	}
	if (length > FILE_BYTES_MAX || memchr(bytes, '\0', length)) {
		free(bytes);
		return fail(EINVAL, "%s: not a configuration file (%s)", name,
			    length > FILE_BYTES_MAX ? "larger than 1 MiB"
						    : "it holds a zero byte");
	}
	bytes[length] = '\0';
	*text = bytes;
	return 0;
}

int
config_load(const struct option_tree *tree, void *config, const char *path)
{
	bool is_stdin = !strcmp(path, "-");
	const char *name = is_stdin ? "standard input" : path;
	FILE *file = is_stdin ? stdin : fopen(path, "re");
	char *text = NULL;
	int error;

	if (!file)
		return fail_errno(errno, "%s", path);
	error = read_all(file, name, &text);
	if (!is_stdin)
		fclose(file);
	if (error)
		return error;
	assert(text);
	error = config_load_text(tree, config, name, text);
	free(text);
	return error;
}
