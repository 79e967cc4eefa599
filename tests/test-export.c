// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Exporters: what small streams made here must come to, byte by byte or record
 * by record, what is said of what got lost, and published counts of a storage
 * trace after a way through oracleGeneral and back.
 */
#include "analyzer/fail.h"
#include "tests/seen.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "traces/exporter.h"
#include "traces/generate.h"

static char out_path[] = "/tmp/test-export-XXXXXX";

struct made {
	enum site_kind kind;
	uint64_t address, pc;
	uint32_t size;
	unsigned instructions, thread;
};

struct exported {
	int error;
	char *bytes; /* owned; with a NUL behind */
	size_t n;
	char message[4096]; /* on stderr */
};

static struct exported
read_out(void)
{
	struct exported exported = { 0 };
	FILE *file = fopen(out_path, "r");
	struct stat status;

	assert_non_null(file);
	assert_int_equal(fstat(fileno(file), &status), 0);
	exported.n = (size_t)status.st_size;
	exported.bytes = calloc(1, exported.n + 1);
	assert_non_null(exported.bytes);
	assert_int_equal(fread(exported.bytes, 1, exported.n, file),
			 exported.n);
	fclose(file);
	return exported;
}

static void
feed_one(struct model *model, struct stream *stream, struct batch *batch,
	 const struct made *made)
{
	struct site site = { .pc = made->pc,
			     .size = made->size,
			     .kind = (uint8_t)made->kind,
			     .instructions = (uint8_t)made->instructions };
	uint32_t ref;

	if (batch->n && batch->thread != made->thread) {
		assert_int_equal(model->methods->feed(model, batch), 0);
		batch_reset(batch);
	}
	batch->thread = made->thread;
	assert_int_equal(stream_site_add(stream, &site, &ref), 0);
	batch_access(batch, made->address, ref);
	batch->columned = true;
}

/* Export those accesses, and a fault, with stderr caught. */
static struct exported
export_made(const char *format, const char *set, const struct made *made,
	    size_t n)
{
	const char *const sets[] = { set, NULL };
	struct exporter_request request = { format, out_path, sets, NULL };
	struct exported exported;
	struct stream *stream;
	struct model *model;
	struct batch batch;
	FILE *caught = tmpfile();
	int saved = dup(STDERR_FILENO), error;

	assert_non_null(caught);
	assert_int_equal(stream_open(&stream), 0);
	assert_int_equal(batch_init(&batch), 0);
	request.stream = stream;
	fflush(stderr);
	dup2(fileno(caught), STDERR_FILENO);
	error = exporter_open(&model, &request);
	assert_int_equal(error, 0);
	for (size_t i = 0; i < n; i++)
		feed_one(model, stream, &batch, &made[i]);
	if (n) {
		batch.time_ns = n;
		batch_event(&batch, EVENT_FAULT)->address = 1;
		assert_int_equal(model->methods->feed(model, &batch), 0);
	}
	error = model->methods->finish(model, NULL);
	model_close(model);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	batch_fini(&batch);
	stream_close(stream);
	exported = read_out();
	exported.error = error;
	rewind(caught);
	exported.message[fread(exported.message, 1,
			       sizeof(exported.message) - 1, caught)] = '\0';
	fclose(caught);
	return exported;
}

static const struct made basic[] = {
	{ SITE_FETCH, 0x401000, 0x401000, 4, 1, 0 },
	{ SITE_LOAD, 0x7f0010, 0x401000, 8, 0, 0 },
	{ SITE_FETCH, 0x401ffe, 0x401ffe, 2, 1, 0 }, /* goes on in the next */
	{ SITE_FETCH, 0x402000, 0x402000, 3, 0, 0 },
	{ SITE_MODIFY, 0xffffffffffff0000, 0x401ffe, 16, 0, 0 },
	{ SITE_STORE, 0x10, 0x999, 4, 0, 0 },
	{ SITE_FETCH, 0x402ffe, 0x402ffe, 2, 1, 0 }, /* ends with its page */
	{ SITE_FETCH, 0x403000, 0x403000, 2, 1, 0 },
};

static void
expect_text(const char *format, const char *text, const char *lost)
{
	struct exported exported =
		export_made(format, NULL, basic, ARRAY_SIZE(basic));
	char message[4096];

	assert_int_equal(exported.error, 0);
	assert_string_equal(exported.bytes, text);
	snprintf(message, sizeof(message),
		 "pagescope: %s: %s has no room for: %s\n", out_path, format,
		 lost);
	assert_string_equal(exported.message, message);
	free(exported.bytes);
}

static void
test_texts(void **state)
{
	(void)state;
	expect_text("lackey",
		    "I  00401000,4\n L 007f0010,8\nI  00401ffe,5\n"
		    " M ffffffffffff0000,16\n S 00000010,4\nI  00402ffe,2\n"
		    "I  00403000,2\n",
		    "1 events (1 fault), 1 pcs of data");
	expect_text("din",
		    "2 401000\n0 7f0010\n2 401ffe\n2 402000\n"
		    "0 ffffffffffff0000\n1 ffffffffffff0000\n1 10\n2 402ffe\n"
		    "2 403000\n",
		    "1 events (1 fault), 8 sizes, 3 pcs of data, 1 modifies "
		    "(each is a load and a store)");
	expect_text("xdin",
		    "i 401000 4\nr 7f0010 8\ni 401ffe 5\n"
		    "r ffffffffffff0000 10\nw ffffffffffff0000 10\nw 10 4\n"
		    "i 402ffe 2\ni 403000 2\n",
		    "1 events (1 fault), 3 pcs of data, 1 modifies (each is a "
		    "load and a store)");
	expect_text("csv",
		    "thread,space,kind,address,size,pc\n"
		    "0,0,fetch,4198400,4,4198400\n0,0,load,8323088,8,4198400\n"
		    "0,0,fetch,4202494,5,4202494\n"
		    "0,0,modify,18446744073709486080,16,4202494\n"
		    "0,0,store,16,4,2457\n0,0,fetch,4206590,2,4206590\n"
		    "0,0,fetch,4206592,2,4206592\n",
		    "1 events (1 fault)");
}

/* 64-byte records as words: ip, stores, loads */
static void
expect_records(const struct exported *exported, const uint64_t (*words)[7],
	       size_t n)
{
	assert_int_equal(exported->error, 0);
	assert_int_equal(exported->n, 64 * n);
	for (size_t i = 0; i < n; i++) {
		uint64_t record[8];

		memcpy(record, exported->bytes + 64 * i, 64);
		assert_int_equal(record[1], 0);
		assert_int_equal(record[0], words[i][0]);
		for (size_t k = 1; k < 7; k++)
			assert_int_equal(record[k + 1], words[i][k]);
	}
	free(exported->bytes);
}

static void
test_champsim(void **state)
{
	static const struct made made[] = {
		/* a block of four instructions, two of which access data */
		{ SITE_FETCH, 0x1000, 0x1000, 16, 4, 0 },
		{ SITE_STORE, 0x7000, 0x1004, 8, 0, 0 },
		{ SITE_LOAD, 0x8000, 0x1004, 8, 0, 0 },
		{ SITE_MODIFY, 0x9000, 0x1008, 8, 0, 0 },
		/* more than a record holds */
		{ SITE_FETCH, 0x2000, 0x2000, 4, 1, 0 },
		{ SITE_STORE, 0x100, 0x2000, 8, 0, 0 },
		{ SITE_STORE, 0x200, 0x2000, 8, 0, 0 },
		{ SITE_STORE, 0x300, 0x2000, 8, 0, 0 },
		/* another thread's, of no block; no pc; address 0 */
		{ SITE_LOAD, 0x400, 0x2000, 8, 0, 1 },
		{ SITE_LOAD, 0x500, 0, 8, 0, 1 },
		{ SITE_LOAD, 0, 0x2000, 8, 0, 1 },
	};
	static const uint64_t words[][7] = {
		{ 0x1000 },
		{ 0x1004, 0x7000, 0, 0x8000 },
		{ 0x1008, 0x9000, 0, 0x9000 },
		{ 0x2000, 0x100, 0x200 },
		{ 0x2000, 0x300 },
		{ 0x2000, 0, 0, 0x400 },
		{ 0x77, 0, 0, 0x500 },
	};
	struct exported exported = export_made("champsim", "champsim.ip=0x77",
					       made, ARRAY_SIZE(made));

	(void)state;
	assert_non_null(strstr(
		exported.message,
		"1 instructions of blocks that access no data, 1 further "
		"records of one instruction's accesses, 1 missing pcs (they "
		"have champsim.ip), 1 accesses to address 0, 1 events (1 "
		"fault), 2 threads (all are one), 11 sizes"));
	expect_records(&exported, words, ARRAY_SIZE(words));
}

static void
get_request(const char *bytes, size_t i, uint64_t *object, int64_t *next)
{
	memcpy(object, bytes + 24 * i + 4, 8);
	memcpy(next, bytes + 24 * i + 16, 8);
}

static void
test_oracle(void **state)
{
	static const struct made made[] = {
		{ SITE_LOAD, 0x1000, 0, 8, 0, 0 },
		{ SITE_STORE, 0x1ffc, 0, 8, 0, 0 }, /* two pages */
		{ SITE_LOAD, 0x1008, 0, 8, 0, 0 },
	};
	static const uint64_t object[] = { 1, 1, 2, 1 };
	static const int64_t next[] = { 2, 4, -1, -1 };
	struct exported exported = export_made("oracle", NULL, made, 3);

	(void)state;
	assert_int_equal(exported.n, 4 * 24);
	for (size_t i = 0; i < 4; i++) {
		uint64_t seen;
		int64_t seen_next;

		get_request(exported.bytes, i, &seen, &seen_next);
		assert_int_equal(seen, object[i]);
		assert_int_equal(seen_next, next[i]);
	}
	free(exported.bytes);
	exported = export_made("oracle", "oracle.repeats=no", made, 3);
	assert_int_equal(exported.n, 3 * 24);
	assert_non_null(strstr(exported.message, "1 repeats"));
	free(exported.bytes);
}

/* Nothing: whole and empty files, which are no error */
static void
test_empty(void **state)
{
	struct exported exported;

	(void)state;
	for (size_t i = 0; exporter_registry[i]; i++) {
		exported =
			export_made(exporter_registry[i]->name, NULL, NULL, 0);
		assert_int_equal(exported.error, 0);
		assert_string_equal(exported.message, "");
		assert_int_equal(exported.n > 0,
				 !strcmp(exporter_registry[i]->name, "csv"));
		free(exported.bytes);
	}
}

/* Feed a source; the exporter is closed. */
static void
export_source(const char *format, struct source *source)
{
	struct exporter_request request = { format, out_path, NULL,
					    source->stream };
	struct model *model;
	struct batch batch;
	int saved = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY);
	int got;

	assert_int_equal(batch_init(&batch), 0);
	assert_int_equal(exporter_open(&model, &request), 0);
	while ((got = source_next(source, &batch)) > 0)
		assert_int_equal(model->methods->feed(model, &batch), 0);
	assert_int_equal(got, 0);
	dup2(null, STDERR_FILENO);
	assert_int_equal(model->methods->finish(model, NULL), 0);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(null);
	model_close(model);
	batch_fini(&batch);
	source_close(source);
}

/* The next requests against a plain look forward, through several chunks */
static void
test_oracle_twin(void **state)
{
	enum {
		PAGES = 3000
	};
	struct exported exported;
	struct source *source;
	int64_t *following = calloc(PAGES, sizeof(*following));
	uint64_t first = UINT64_MAX, object;
	int64_t next;

	(void)state;
	assert_non_null(following);
	assert_int_equal(generate_open(&source,
				       "uniform,n=200000,pages=3000,seed=5"),
			 0);
	export_source("oracle", source);
	exported = read_out();
	assert_int_equal(exported.n % 24, 0);
	assert_true(exported.n / 24 >= 200000);
	for (size_t i = 0; i < exported.n / 24; i++) {
		get_request(exported.bytes, i, &object, &next);
		first = object < first ? object : first;
	}
	for (size_t i = exported.n / 24; i-- > 0;) {
		get_request(exported.bytes, i, &object, &next);
		assert_in_range(object - first, 0, PAGES - 1);
		object -= first;
		assert_int_equal(next,
				 following[object] ? following[object] : -1);
		following[object] = (int64_t)i + 1;
	}
	free(following);
	free(exported.bytes);
}

struct frame {
	uint64_t page;
	int64_t next;
};

/* Misses of `frames` frames, plainly: 0 FIFO, 1 LRU, 2 OPT by the next index */
static unsigned
count_misses(const struct exported *exported, size_t frames, int policy)
{
	struct frame *frame = calloc(frames, sizeof(*frame));
	size_t used = 0;
	unsigned misses = 0;

	assert_non_null(frame);
	for (size_t i = 0; i < exported->n / 24; i++) {
		struct frame now;
		size_t at = 0, victim = 0;

		get_request(exported->bytes, i, &now.page, &now.next);
		now.next = now.next < 0 ? INT64_MAX : now.next;
		while (at < used && frame[at].page != now.page)
			at++;
		if (at < used) {
			/* the last is the youngest; FIFO leaves it there */
			frame[at].next = now.next;
			if (policy != 1)
				continue;
			victim = at;
		} else {
			misses++;
			if (used < frames) {
				frame[used++] = now;
				continue;
			}
			for (size_t k = 1; policy == 2 && k < used; k++)
				if (frame[k].next > frame[victim].next)
					victim = k;
		}
		memmove(frame + victim, frame + victim + 1,
			(used - victim - 1) * sizeof(*frame));
		frame[used - 1] = now;
	}
	free(frame);
	return misses;
}

/* ARC's and libCacheSim's sample trace: 113,872 requests of 48,974 blocks */
static void
test_published(void **state)
{
	static const struct {
		size_t frames;
		unsigned fifo, lru, opt;
	} counts[] = {
		{ 1, 111187, 111187, 111187 },	{ 2, 110577, 110525, 108022 },
		{ 5, 109101, 108968, 104743 },	{ 20, 106033, 105561, 99716 },
		{ 100, 101495, 100215, 94010 }, { 1000, 95520, 94823, 87025 },
	};
	const char *srcdir = getenv("srcdir");
	static const char *const sets[] = { "csv.column=lbn", "csv.unit=4096",
					    NULL };
	const char *paths[] = { NULL, NULL };
	struct importer_request request = { "csv", paths, sets, false };
	struct importer_request again = { "oracle", paths, NULL, false };
	struct exported exported, second;
	struct source *source;
	char name[4096];

	(void)state;
	snprintf(name, sizeof(name), "%s/../shared/data/cloudphysics.csv.gz",
		 srcdir ? srcdir : ".");
	if (access(name, R_OK)) {
		print_message("no %s: its counts are not tested\n", name);
		skip();
	}
	paths[0] = name;
	assert_int_equal(importer_open(&source, &request), 0);
	export_source("oracle", source);
	exported = read_out();
	assert_int_equal(exported.n, 113872 * 24);
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		assert_int_equal(count_misses(&exported, counts[i].frames, 0),
				 counts[i].fifo);
		assert_int_equal(count_misses(&exported, counts[i].frames, 1),
				 counts[i].lru);
		assert_int_equal(count_misses(&exported, counts[i].frames, 2),
				 counts[i].opt);
	}
	/* imported and exported again: the same but for the times */
	put_file(exported.bytes, exported.n);
	paths[0] = path;
	assert_int_equal(importer_open(&source, &again), 0);
	export_source("oracle", source);
	second = read_out();
	assert_int_equal(second.n, exported.n);
	for (size_t i = 0; i < second.n / 24; i++)
		assert_memory_equal(exported.bytes + 24 * i + 4,
				    second.bytes + 24 * i + 4, 20);
	free(second.bytes);
	free(exported.bytes);
}

static void
test_formats(void **state)
{
	struct exporter_request wrong = { .format = "lacky", .path = out_path };
	static const char *const sets[] = { "champsim.ip=1", NULL };
	struct exporter_request unknown = { "lackey", out_path, sets, NULL };
	struct exporter_request nowhere = { "lackey", "/nowhere/at/all", NULL,
					    NULL };
	struct model *model;

	(void)state;
	assert_int_equal(exporter_open(&model, &wrong), -EUSAGE);
	assert_int_equal(exporter_open(&model, &unknown), -EUSAGE);
	assert_int_equal(exporter_open(&model, &nowhere), -ENOENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_champsim),
		cmocka_unit_test(test_oracle),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_oracle_twin),
		cmocka_unit_test(test_published),
		cmocka_unit_test(test_formats),
	};
	int fd = mkstemp(path), out = mkstemp(out_path);
	int failed;

	if (fd < 0 || out < 0)
		return 1;
	close(fd);
	close(out);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	unlink(out_path);
	return failed;
}
