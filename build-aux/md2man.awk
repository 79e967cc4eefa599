# SPDX-License-Identifier: GPL-2.0-or-later
# awk -v name=pagescope-trace -v section=5 -v what="..." -v version=... -f md2man.awk FILE.md
# The plain Markdown that our documents use, as the source of a man page:
# headings, paragraphs, indented or fenced code, lists, tables (a row becomes
# a term and its text), `code`, *emphasis*, **strong**.

function roff(text) {
	gsub(/\\/, "\\e", text)
	gsub(/-/, "\\-", text)
	sub(/^[.']/, "\\\\\\&&", text)
	return text
}

function plain(text) {
	gsub(/[`*]/, "", text)
	return roff(text)
}

# Each pair of marks in turn; what is between `s is not looked into.
function inline(text,    out, part, n, i) {
	n = split(text, part, "`")
	out = ""
	for (i = 1; i <= n; i++) {
		if (i % 2 == 0) {
			out = out "\\fB" roff(part[i]) "\\fR"
			continue
		}
		part[i] = roff(part[i])
		while (match(part[i], /\*\*[^*]+\*\*/))
			part[i] = substr(part[i], 1, RSTART - 1) "\\fB" \
				substr(part[i], RSTART + 2, RLENGTH - 4) "\\fR" \
				substr(part[i], RSTART + RLENGTH)
		while (match(part[i], /\*[^* ][^*]*\*/))
			part[i] = substr(part[i], 1, RSTART - 1) "\\fI" \
				substr(part[i], RSTART + 1, RLENGTH - 2) "\\fR" \
				substr(part[i], RSTART + RLENGTH)
		out = out part[i]
	}
	return out
}

function end_code() {
	if (in_code)
		print ".fi\n.RE"
	in_code = 0
}

function begin_code() {
	if (!in_code)
		print ".PP\n.RS 4\n.nf"
	in_code = 1
}

BEGIN {
	printf ".TH %s %s \"\" \"%s\" \"File Formats\"\n", toupper(name), section, version
	print ".SH NAME"
	print roff(name) " \\- " roff(what)
	print ".SH DESCRIPTION"
}

/^```/ {
	fenced = !fenced
	if (fenced)
		begin_code()
	else
		end_code()
	next
}
fenced { print roff($0); next }

/^    / && (in_code || blank) {
	begin_code()
	while (held-- > 0)
		print ""
	held = 0
	print roff(substr($0, 5))
	next
}
/^[ \t]*$/ {
	if (in_code)
		held++
	blank = 1
	table = 0
	next
}
{ end_code(); held = 0 }

/^# / { next }
/^## / { print ".SH " toupper(plain(substr($0, 4))); blank = 0; next }
/^###+ / { sub(/^#+ /, ""); print ".SS " plain($0); blank = 0; next }

/^\|[-:| ]+\|$/ { next }
/^\|/ {
	n = split($0, cell, / *\| */)
	term = ""
	for (i = 2; i < n - 1; i++)
		term = term (term == "" ? "" : "  ") inline(cell[i])
	print ".TP"
	print (table ? term : "\\fI" term "\\fR")
	print inline(cell[n - 1])
	table = 1
	blank = 0
	next
}

/^[-*] / { print ".IP \\(bu 2"; print inline(substr($0, 3)); blank = 0; next }
/^[0-9]+\. / {
	number = $1
	sub(/^[0-9]+\. /, "")
	print ".IP " number " 4"
	print inline($0)
	blank = 0
	next
}
{
	if (blank)
		print ".PP"
	sub(/^ +/, "")
	print inline($0)
	blank = 0
}
END { end_code() }
