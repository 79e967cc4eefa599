#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Servers under load are attached to and left again and again; every answer is
# checked (server-load.py), and afterwards they are as before.  CYCLES=2000 in
# the environment: so many (24).
set -u
: "${PAGESCOPE:?}"
load=$(cd "${srcdir:-.}" && pwd)/tests/server-load.py
cycles=${CYCLES:-24}
dir=$(mktemp -d) || exit 99
pids=
cleanup()
{
	local pid
	for pid in $pids; do kill -KILL "$pid" 2>/dev/null; done
	rm -rf "$dir"
}
trap cleanup EXIT
cd "$dir" || exit 99
failed=0
PATH=$PATH:/usr/sbin

complain()
{
	echo "FAIL: $*"
	failed=1
}

if ! "$PAGESCOPE" record -e cache -o t.pst -- true 2>err; then
	echo "skipped: the cache engine does not work here: $(cat err)"
	exit 77
fi
command -v python3 >/dev/null || {
	echo 'skipped: no python3'
	exit 77
}

free_port()
{
	python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

answers() # PORT
{
	(: >"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

await()
{
	local i
	for ((i = 0; i < 500; i++)); do
		"$@" && return 0
		sleep 0.02
	done
	return 1
}

two_children() # PID
{
	[ "$(wc -w <"/proc/$1/task/$1/children")" -eq 2 ]
}

state()
{
	awk '$5 { print $1, $2, $3, $5 }' "/proc/$1/maps"
	grep -E '^(TracerPid|SigBlk|SigIgn|SigCgt|Threads)' "/proc/$1/status"
	# A file may just be served
	readlink /proc/"$1"/fd/* | grep -v -e '^socket:' -e "^$dir/www/"
}

# under_load NAME KIND PORT PID...: visit them in turn
under_load()
{
	local name=$1 kind=$2 port=$3 loader i pid got
	shift 3
	mkfifo "stop.$kind"
	(cd www && exec python3 "$load" "$kind" "$port" 6) <"stop.$kind" \
		>"said.$kind" 2>&1 &
	loader=$!
	pids="$pids $loader"
	exec 9>"stop.$kind"
	sleep 1
	for pid; do state "$pid" >"before.$pid"; done
	for ((i = 0; i < cycles; i++)); do
		for pid; do
			"$PAGESCOPE" record -e cache --count -p "$pid" \
				--duration $((20 + i % 5 * 20))ms >out 2>&1 ||
				complain "$name: visit $i: $(cat out)"
		done
		[ $((i % 6)) -eq 5 ] && kill_one "$name" "$1"
	done
	sleep 0.3
	exec 9>&-
	wait $loader
	got=$?
	[ $got -eq 0 ] || complain "$name: $(cat said."$kind")"
	for pid; do
		state "$pid" >"after.$pid"
		cmp -s "before.$pid" "after.$pid" ||
			complain "$name: $(diff "before.$pid" "after.$pid")"
	done
	printf '%s: %s answers, %s visits\n' "$name" "$(head -1 said."$kind")" \
		$((cycles * $#))
}

# A recorder that is killed under load
kill_one() # NAME PID
{
	local recorder
	"$PAGESCOPE" record -e cache -o k.pst -p "$2" >out 2>&1 &
	recorder=$!
	sleep 0.2
	kill -KILL $recorder
	wait $recorder 2>/dev/null
	await grep -q '^TracerPid:.0$' "/proc/$2/status" ||
		complain "$1: not let go by a killed recorder"
}

mkdir www
chmod 755 . www
for i in 1 2 3 4 5; do
	head -c $((i * i * 9000)) /dev/urandom >www/new
	mv www/new "www/$(sha256sum www/new | cut -d' ' -f1)"
done

if command -v nginx >/dev/null; then
	port=$(free_port)
	cat >nginx.conf <<-END
		daemon off;
		worker_processes 2;
		pid $dir/nginx.pid;
		error_log $dir/error.log;
		events { worker_connections 64; }
		http {
			access_log off;
			client_body_temp_path $dir/t1;
			proxy_temp_path $dir/t2;
			fastcgi_temp_path $dir/t3;
			uwsgi_temp_path $dir/t4;
			scgi_temp_path $dir/t5;
			keepalive_requests 1000000;
			server { listen 127.0.0.1:$port; root $dir/www; }
		}
	END
	nginx -c "$dir/nginx.conf" >nginx.out 2>&1 &
	master=$!
	pids="$pids $master"
	# It answers before it has forked its workers
	if await answers "$port" && await two_children $master; then
		workers=$(cat /proc/$master/task/$master/children)
		pids="$pids $workers"
		# shellcheck disable=SC2086 # words
		under_load nginx http "$port" $workers
		kill -TERM $master
		wait $master
	else
		complain "nginx: $(cat nginx.out error.log)"
	fi
else
	echo 'skipped: no nginx'
fi

if command -v redis-server >/dev/null; then
	port=$(free_port)
	redis-server --port "$port" --bind 127.0.0.1 --save '' --dir "$dir" \
		--daemonize no >redis.out 2>&1 &
	server=$!
	pids="$pids $server"
	if await answers "$port"; then
		under_load redis redis "$port" $server
		kill -TERM $server
		wait $server || complain "redis: status $?"
	else
		complain "redis: $(cat redis.out)"
	fi
else
	echo 'skipped: no redis-server'
fi
# A parent of many children, followed or not: a shell that forks, makes pipes
# and execs, and make, which vforks
cat >loop.sh <<'END'
sum=0
for ((i = 0; i < 150; i++)); do
	n=$(echo $i | sed 's/$/0/')
	sum=$((sum + n + $(expr $i \* 2)))
done
echo $sum
END
printf 'all: %s;@:\n%%.o:\n\t@expr $* + 1 >$@\n' \
	"$(seq -s ' ' -f '%g.o' 200)" >loop.mk

children() # NAME WANTED COMMAND...
{
	local name=$1 wanted=$2 parent i=0 option
	shift 2
	"$@" >result 2>&1 &
	parent=$!
	pids="$pids $parent"
	while kill -0 $parent 2>/dev/null; do
		option=--no-follow
		[ $((i % 2)) -eq 0 ] || option=
		# shellcheck disable=SC2086 # none or one
		"$PAGESCOPE" record -e cache --count $option -p $parent \
			--duration 50ms >out 2>&1
		i=$((i + 1))
		sleep 0.05
	done
	wait $parent || complain "$name: status $?"
	[ "$(cat result ./*.o 2>/dev/null | md5sum)" = \
		"$(printf '%s\n' "$wanted" | md5sum)" ] ||
		complain "$name: $(tail -3 result)"
	[ $i -gt 2 ] || complain "$name: only $i visits"
	echo "$name: $i visits"
}
children shell $((149 * 75 * 12)) bash loop.sh
if command -v make >/dev/null; then
	children make "$(for i in $(seq -f '%g.o' 200 | sort); do
		echo $((${i%.o} + 1))
	done)" env -u MAKEFLAGS -u MAKELEVEL make -r -s -j3 -f loop.mk
fi
exit $failed
