// SPDX-License-Identifier: GPL-2.0-or-later
/* Numbers for people; the document keeps the exact ones. */
#include "reports/number.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct number
number_count(double value)
{
	struct number number = { "" };
	char plain[48];
	size_t n, at = 0;
	bool minus;

	snprintf(plain, sizeof(plain), "%.0f", fabs(value));
	minus = value < 0 && strcmp(plain, "0");
	n = strlen(plain);
	if (n > 30) {
		snprintf(number.text, sizeof(number.text), "%.3g", value);
		return number;
	}
	if (minus)
		number.text[at++] = '-';
	for (size_t i = 0; i < n; i++) {
		if (i && (n - i) % 3 == 0)
			number.text[at++] = ',';
		number.text[at++] = plain[i];
	}
	number.text[at] = '\0';
	return number;
}

/* Three digits, without an exponent */
static void
three_digits(double value, char *text, size_t bytes)
{
	double size = fabs(value);

	snprintf(text, bytes, "%.*f",
		 size >= 99.95	  ? 0
		 : size >= 9.995  ? 1
		 : size >= 0.995  ? 2
		 : size >= 0.0995 ? 3
				  : 4,
		 value);
}

static struct number
prefixed(double value, double base, const char *const *prefixes)
{
	struct number number = { "" };
	char digits[40];

	/* what rounds to 1000 is 1.00 of the next prefix */
	while (prefixes[1] && fabs(value) >= (base > 1000 ? 1023.5 : 999.5)) {
		value /= base;
		prefixes++;
	}
	three_digits(value, digits, sizeof(digits));
	snprintf(number.text, sizeof(number.text), "%.32s%s", digits,
		 *prefixes);
	return number;
}

struct number
number_si(double value)
{
	static const char *const prefixes[] = { "",   " k", " M", " G",
						" T", " P", " E", NULL };
	struct number number = { "" };

	if (fabs(value) < 10000) {
		if (value == floor(value))
			return number_count(value);
		three_digits(value, number.text, sizeof(number.text));
		return number;
	}
	return prefixed(value, 1000, prefixes);
}

struct number
number_bytes(double value)
{
	static const char *const prefixes[] = { " bytes", " KiB", " MiB",
						" GiB",	  " TiB", " PiB",
						" EiB",	  NULL };
	struct number number = { "" };

	if (fabs(value) < 1024) {
		snprintf(number.text, sizeof(number.text), "%.0f byte%s", value,
			 value == 1 ? "" : "s");
		return number;
	}
	return prefixed(value, 1024, prefixes);
}

struct number
number_share(double part, double whole)
{
	struct number number = { "-" };
	double share = whole > 0 ? 100 * part / whole : 0;

	if (whole <= 0)
		return number;
	if (part > 0 && share < 0.1)
		strcpy(number.text, "< 0.1 %");
	else if (part < whole && share > 99.9)
		strcpy(number.text, "> 99.9 %");
	else if (share == 0 || share >= 100)
		snprintf(number.text, sizeof(number.text), "%.0f %%", share);
	else
		snprintf(number.text, sizeof(number.text), "%.1f %%", share);
	return number;
}

struct number
number_real(double value)
{
	struct number number = { "" };

	if (fabs(value) >= 10000)
		return number_si(value);
	if (value == floor(value))
		return number_count(value);
	if (fabs(value) < 0.001)
		snprintf(number.text, sizeof(number.text), "%.3g", value);
	else
		three_digits(value, number.text, sizeof(number.text));
	return number;
}

struct number
number_of(double value, const char *word)
{
	struct number number = { "" }, digits = number_si(value);

	size_t n = strlen(word);
	const char *plural = n && word[n - 1] == 's' ? "es" : "s";

	snprintf(number.text, sizeof(number.text), "%.20s %.24s%s", digits.text,
		 word, value == 1 ? "" : plural);
	return number;
}

struct number
number_bar(double part, double whole, unsigned most)
{
	struct number number = { "" };
	double length = whole > 0 ? part / whole * most : 0;
	unsigned n = (unsigned)(length + 0.5);

	if (most > sizeof(number.text) - 1)
		most = sizeof(number.text) - 1;
	if (n > most)
		n = most;
	memset(number.text, '#', n);
	if (!n && part > 0)
		strcpy(number.text, ".");
	else
		number.text[n] = '\0';
	return number;
}
