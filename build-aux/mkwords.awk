# SPDX-License-Identifier: GPL-2.0-or-later
# What pagescope-result(5) says of each value, table and column, as a C table for
# `pagescope explain`: the page is the one place where names are described.
#	awk -f mkwords.awk pagescope-result.5 >words.c
# A tag names one or more, with ", " between; .suffix stands for the name before
# with as many of its last words replaced; words in capitals stand for any.

function plain(text)
{
	gsub(/\\-/, "-", text)
	gsub(/\\\(aq/, "'", text)
	gsub(/\\\(dq/, "\"", text)
	gsub(/\\&/, "", text)
	gsub(/\\f[A-Z]/, "", text)
	return text
}

# The arguments of a macro, joined; for .B with a blank between
function arguments(line, between,    out, word)
{
	sub(/^\.[A-Z]+ */, "", line)
	out = ""
	while (line != "") {
		if (match(line, /^"[^"]*"/)) {
			word = substr(line, 2, RLENGTH - 2)
		} else {
			match(line, /^[^ ]+/)
			word = substr(line, 1, RLENGTH)
		}
		line = substr(line, RLENGTH + 1)
		# (the lengths above hold for quoted words, too)
		sub(/^ +/, "", line)
		out = out (out == "" ? "" : between) word
	}
	return plain(out)
}

function quoted(text)
{
	gsub(/\\/, "\\\\", text)
	gsub(/"/, "\\\"", text)
	return "\"" text "\""
}

function emit(    n, i, name, before, words, k)
{
	if (tag != "" && section != "") {
		n = split(tag, name, /, */)
		before = ""
		for (i = 1; i <= n; i++) {
			if (name[i] ~ /^\./) {
				k = gsub(/\./, ".", name[i])
				while (k-- > 0)
					sub(/\.[^.]*$/, "", before)
				name[i] = before name[i]
			}
			before = name[i]
			printf "\t{ %s, %s,\n\t  %s },\n", quoted(section), quoted(name[i]), quoted(body)
		}
	}
	tag = body = ""
}

function add(text)
{
	body = body (body == "" ? "" : " ") text
}

BEGIN {
	print "/* Made from pagescope-result.5 by mkwords.awk. */"
	print "#include \"reports/meaning.h\"\n"
	print "const struct meaning_words meaning_words[] = {"
}
/^\.SH / || /^\.SS / {
	emit()
	section = /^\.SS Values/ ? "value" : /^\.SS Tables/ ? "table" : /^\.SS Columns/ ? "column" : ""
	next
}
/^\.TP/ { emit(); tagged = 1; next }
/^\.\\"/ || /^\.(EX|EE|PP|TH)/ { next }
tagged { tag = /^\./ ? arguments($0, $1 == ".B" || $1 == ".I" ? " " : "") : plain($0); tagged = 0; next }
/^\.[A-Z]+ / { add(arguments($0, $1 == ".B" || $1 == ".I" ? " " : "")); next }
{ add(plain($0)) }
END {
	emit()
	print "\t{ 0 }\n};"
}
