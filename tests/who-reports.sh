#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Documents for others' programs: HTML that is well-formed and needs nothing,
# trace events as Perfetto's format has them, results that are what the published
# schema says.
set -u
: "${PAGESCOPE:?}"
build=${PAGESCOPE%/*}
schema=$(realpath "${srcdir:-.}")/reports/result.schema.json
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 99
failed=0

complain()
{
	echo "$*"
	failed=1
}

python()
{
	command -v python3 >/dev/null || return 77
	python3 "$@"
}

# A name that would be a tag
printf ' S 1000,8\n L 5000,8\n S 1000,8\n' >'<b>&x'
"$PAGESCOPE" replay '<b>&x' --by all -o tag.json || complain 'no replay'
"$PAGESCOPE" replay generate:mix,n=300K,pages=5000 --by all -o who.json || complain 'no replay'
"$PAGESCOPE" replay generate:mix,n=30K,pages=500 -o plain.json || complain 'no replay'
"$PAGESCOPE" replay generate:mix,n=30K,pages=500 --by all -m zen4 -m textbook -o two.json ||
	complain 'no replay of two'
for kind in full quiet empty blind bare machines; do
	"$build/tests/make-result" $kind $kind.json || complain "no $kind"
done

# Every tag that opens closes, in order
cat >balanced.py <<'END'
import sys
from html.parser import HTMLParser
alone = {'meta', 'br', 'rect', 'line', 'path'}
class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.seen = [], set()
    def handle_starttag(self, tag, attributes):
        self.seen.add(tag)
        if tag not in alone:
            self.open.append(tag)
    def handle_startendtag(self, tag, attributes):
        self.seen.add(tag)
    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, (tag, self.getpos())
page = Page()
page.feed(open(sys.argv[1], encoding='utf-8').read())
assert not page.open, page.open
assert {'html', 'title', 'h1', 'table'} <= page.seen, page.seen
for wanted in sys.argv[2:]:
    assert wanted in page.seen, wanted
END
for made in *.json; do
	"$PAGESCOPE" report --format html "$made" >page.html 2>err || complain "$made: $(cat err)"
	grep -nE '(src|href)=|https?://|<script|@import|url\(' page.html &&
		complain "$made: needs something else"
	grep -q 'prefers-color-scheme:dark' page.html || complain "$made: one colour"
	grep -q 'name="viewport"' page.html || complain "$made: no phone"
	case $made in who.json | plain.json | two.json) wanted=svg ;; *) wanted='' ;; esac
	# shellcheck disable=SC2086
	python balanced.py page.html $wanted 2>err || [ $? = 77 ] ||
		complain "$made: $(tail -1 err)"
	! command -v xmllint >/dev/null ||
		xmllint --html --noout page.html 2>&1 | grep error | grep -v ' Tag [a-z]* invalid' |
		sed "s/^/$made: /" | grep . && failed=1
done
"$PAGESCOPE" report --format html tag.json | grep '<b>' && complain 'a name became a tag'
"$PAGESCOPE" report --format html tag.json | grep -q '&lt;b&gt;&amp;x' ||
	complain 'where is the name?'

# The rules of the JSON trace event format, and that nothing got lost
cat >events.py <<'END'
import json, sys
def value(result, name):
    return result['values'][name]['value']
trace, result = json.load(open(sys.argv[1])), json.load(open(sys.argv[2]))
whole = 'who.time' in result['tables']
counters, slices, named, last = {}, 0, set(), {}
for event in trace['traceEvents']:
    assert isinstance(event['pid'], int) and isinstance(event['tid'], int), event
    assert isinstance(event['name'], str) and event['name'], event
    if event['ph'] == 'M':
        assert event['name'] in ('process_name', 'thread_name'), event
        assert isinstance(event['args']['name'], str), event
        named.add((event['pid'], event['tid']))
        continue
    assert isinstance(event['ts'], (int, float)) and event['ts'] >= 0, event
    if event['ph'] == 'C':
        assert event['args'], event
        for number in event['args'].values():
            assert isinstance(number, (int, float)), event
            counters[event['name']] = counters.get(event['name'], 0) + number
    else:
        assert event['ph'] == 'X' and event['dur'] > 0, event
        track = event['pid'], event['tid']
        assert track in named, event
        # slices of a track do not overlap
        assert event['ts'] >= last.get(track, 0) - 1e-6, event
        last[track] = event['ts'] + event['dur']
        slices += 1
assert trace['displayTimeUnit'] in ('ms', 'ns')
if whole:
    assert counters['walk_cycles'] == value(result, 'walk.cycles'), counters
    assert counters['faults_minor'] == value(result, 'fault.minor'), counters
    assert slices == min(10000, value(result, 'fault.minor')), slices
else:
    assert counters and not slices
END
for made in who plain tag; do
	"$PAGESCOPE" report --format perfetto $made.json >trace.json 2>err ||
		complain "$made: $(cat err)"
	python events.py trace.json $made.json 2>err || [ $? = 77 ] ||
		complain "perfetto of $made: $(tail -1 err)"
done

# Real results are what the schema says: by our validator, and by a common one
"$build/tests/test-schema" "$schema" who.json plain.json two.json tag.json ||
	complain 'not of the schema'
cat >schema.py <<'END'
import json, sys
try:
    import jsonschema
except ImportError:
    sys.exit(77)
schema = json.load(open(sys.argv[1]))
validator = jsonschema.validators.validator_for(schema)
validator.check_schema(schema)
for path in sys.argv[2:]:
    validator(schema).validate(json.load(open(path)))
END
python schema.py "$schema" who.json plain.json two.json tag.json 2>err || [ $? = 77 ] ||
	complain "schema: $(tail -3 err)"

# Folded stacks: each line is frames, a blank, a count; all of them are the total
"$PAGESCOPE" report --format folded --weight walks who.json >stacks || complain stacks
grep -vE '^[^ ].* [1-9][0-9]*$' stacks && complain 'not a folded line'
[ "$(awk '{ n += $NF } END { print n }' stacks)" = \
	"$("$PAGESCOPE" report --get walk.count who.json)" ] || complain 'folded: not all walks'
"$PAGESCOPE" report --format folded --weight share who.json >out 2>&1 && complain 'weight share'
grep -q 'there are l1d_misses' out || complain "weight: $(cat out)"

# The hottest pages over time, as a figure's data
"$PAGESCOPE" plot --kind pages --gnuplot true -o plots who.json >out 2>&1
[ "$(awk '!/^#/ && NF == 3 { n++ } END { print n }' plots/pages.dat)" -ge 64 ] ||
	complain "pages: $(cat out; head -3 plots/pages.dat)"

exit $failed
