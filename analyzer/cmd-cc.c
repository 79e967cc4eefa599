// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pagescope cc -- ARGUMENTS: the compiler with what makes it call a hook at
 * each load and store, and the runtime that `record -e hooks` listens to.
 *
 * The instrumentation is asked of the compiler proper, not of its driver: that
 * one would link a runtime of its own.
 */
#include "analyzer/fail.h"
#include "analyzer/verb.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARCHIVE "libpagescope-hooks.a"
#define SHARED	"libpagescope-hooks.so"

enum hooks_kind {
	HOOKS_AUTO,
	HOOKS_THREAD,
	HOOKS_COVERAGE
};

enum runtime_form {
	RUNTIME_AUTO,
	RUNTIME_STATIC,
	RUNTIME_SHARED
};

enum flags_shown {
	FLAGS_NONE,
	FLAGS_COMPILE,
	FLAGS_LINK,
	FLAGS_ALL
};

struct cc_config {
	char *compiler;
	int flags, hooks, runtime;
};

static const char *const flag_choices[] = { "none", "compile", "link", "all",
					    NULL };
static const char *const hook_choices[] = { "auto", "thread", "coverage",
					    NULL };
static const char *const runtime_choices[] = { "auto", "static", "shared",
					       NULL };

static const struct option_row cc_rows[] = {
	{ "compiler", OPTION_STRING, offsetof(struct cc_config, compiler),
	  "gcc", .help = "the compiler to run: a gcc or a clang, for C or C++",
	  .argument = "COMMAND" },
	{ "flags", OPTION_CHOICE, offsetof(struct cc_config, flags), "none",
	  .choices = flag_choices,
	  .help = "run nothing, print the flags to compile with (CFLAGS, "
		  "harmless when linking), to link with (last), or both" },
	{ "hooks", OPTION_CHOICE, offsetof(struct cc_config, hooks), "auto",
	  .choices = hook_choices,
	  .help = "the compiler's instrumentation: that of -fsanitize=thread "
		  "(gcc, clang; atomics are one access) or of "
		  "-fsanitize-coverage (clang; every load and store of 1 to 16 "
		  "bytes); auto: coverage if it is clang" },
	{ "runtime", OPTION_CHOICE, offsetof(struct cc_config, runtime), "auto",
	  .choices = runtime_choices,
	  .help = "link the runtime into the program, or as a shared library; "
		  "auto: into programs, shared with -shared" },
	{ NULL },
};

static const struct option_group cc_groups[] = {
	{ "", cc_rows, 0, NULL },
	{ NULL },
};

static const struct option_tree cc_options = { cc_groups,
					       sizeof(struct cc_config) };

/*
 * -Wp: to the preprocessor, which gcc's compiler proper is.  Programs must not
 * see that they are watched.  Optimising at link time would forget the flag.
 */
static const char *const gcc_thread[] = { "-Wp,-fsanitize=thread",
					  "-U__SANITIZE_THREAD__", "-Wno-tsan",
					  "-fno-lto", NULL };
static const char *const clang_thread[] = { "-Xclang", "-fsanitize=thread",
					    "-Qunused-arguments", "-fno-lto",
					    NULL };
static const char *const clang_coverage[] = {
	"-Xclang",
	"-fsanitize-coverage-type=1", /* each function */
	"-Xclang",
	"-fsanitize-coverage-trace-pc-guard",
	"-Xclang",
	"-fsanitize-coverage-trace-loads",
	"-Xclang",
	"-fsanitize-coverage-trace-stores",
	"-Qunused-arguments",
	"-fno-lto",
	NULL,
};

/* Does COMPILER --version speak of clang? */
static bool
says_clang(const char *compiler)
{
	char text[512];
	int ends[2], status;
	ssize_t n;
	pid_t pid;

	if (pipe(ends))
		return false;
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], 1);
		close(ends[0]);
		execlp(compiler, compiler, "--version", (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	n = pid > 0 ? read(ends[0], text, sizeof(text) - 1) : 0;
	close(ends[0]);
	if (pid > 0)
		waitpid(pid, &status, 0);
	text[n > 0 ? n : 0] = '\0';
	return strstr(text, "clang") != NULL;
}

static bool
is_clang(const char *compiler)
{
	const char *name = strrchr(compiler, '/');

	name = name ? name + 1 : compiler;
	if (strstr(name, "clang"))
		return true;
	if (strstr(name, "gcc") || strstr(name, "g++"))
		return false;
	return says_clang(compiler);
}

/* Where the runtime is: beside this program in its build directory, or where
 * it was installed.  0 or -ENOENT (said). */
static int
find_runtime(char *directory, size_t bytes)
{
	char self[PATH_MAX / 2], path[PATH_MAX + 64];
	const char *const places[] = { "tracers/hooks", "../tracers/hooks" };
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n > 0) {
		self[n] = '\0';
		*strrchr(self, '/') = '\0';
		for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
			snprintf(directory, bytes, "%s/%s", self, places[i]);
			snprintf(path, sizeof(path), "%s/" ARCHIVE, directory);
			if (!access(path, R_OK))
				return 0;
		}
	}
	snprintf(directory, bytes, "%s", HOOKS_DIR);
	snprintf(path, sizeof(path), "%s/" ARCHIVE, directory);
	if (!access(path, R_OK))
		return 0;
	return fail(ENOENT, "cc: the runtime %s is not there: make install",
		    path);
}

/* What the user asked the driver for */
struct asked {
	bool link, shared, static_program;
};

static struct asked
look(int argc, char **argv)
{
	static const char *const no_link[] = {
		"-c",	"-S",	 "-E",	       "-M",	    "-MM",
		"-r",	"-v",	 "-dumpspecs", "--version", "-fsyntax-only",
		"-###", "--help"
	};
	struct asked asked = { false, false, false };
	bool stops = false;

	for (int i = 0; i < argc; i++) {
		for (size_t k = 0; k < ARRAY_SIZE(no_link); k++)
			stops |= !strcmp(argv[i], no_link[k]);
		stops |= !strncmp(argv[i], "-print-", 7) ||
			 !strncmp(argv[i], "-dump", 5);
		asked.shared |= !strcmp(argv[i], "-shared");
		asked.static_program |= !strcmp(argv[i], "-static") ||
					!strcmp(argv[i], "-static-pie");
		if (!strcmp(argv[i], "-o"))
			i++;
		else
			asked.link |= argv[i][0] != '-';
	}
	asked.link &= !stops;
	return asked;
}

/* A growing command line; the strings of `text` are its own. */
struct words {
	const char **word;
	size_t n;
	char directory[PATH_MAX];
	char archive[PATH_MAX + 64], search[PATH_MAX + 8], path[PATH_MAX + 16];
};

static void
add(struct words *words, const char *word)
{
	words->word[words->n++] = word;
}

static void
add_compile(struct words *words, const struct cc_config *config)
{
	bool clang = is_clang(config->compiler);
	bool coverage = config->hooks == HOOKS_COVERAGE ||
			(config->hooks == HOOKS_AUTO && clang);
	const char *const *flag = coverage ? clang_coverage
				  : clang  ? clang_thread
					   : gcc_thread;

	while (*flag)
		add(words, *flag++);
}

static int
add_link(struct words *words, const struct cc_config *config,
	 const struct asked *asked)
{
	int error = find_runtime(words->directory, sizeof(words->directory));

	if (error)
		return error;
	if (config->runtime == RUNTIME_SHARED ||
	    (config->runtime == RUNTIME_AUTO && asked->shared)) {
		snprintf(words->search, sizeof(words->search), "-L%s",
			 words->directory);
		snprintf(words->path, sizeof(words->path), "-Wl,-rpath,%s",
			 words->directory);
		add(words, words->search);
		add(words, words->path);
		add(words, "-l:" SHARED);
		return 0;
	}
	snprintf(words->archive, sizeof(words->archive), "%s/" ARCHIVE,
		 words->directory);
	add(words, words->archive);
	add(words, "-pthread");
	if (asked->static_program || asked->shared)
		return 0;
	/* Libraries that it loads call the program's hooks, not their own */
	add(words, "-Wl,--export-dynamic-symbol=__tsan_*");
	add(words, "-Wl,--export-dynamic-symbol=__sanitizer_cov_*");
	return 0;
}

static int
print_flags(struct words *words, const struct cc_config *config)
{
	const struct asked asked = { .link = true };
	int error = 0;

	if (config->flags != FLAGS_LINK)
		add_compile(words, config);
	if (config->flags != FLAGS_COMPILE)
		error = add_link(words, config, &asked);
	for (size_t i = 0; i < words->n && !error; i++)
		printf("%s%s", i ? " " : "", words->word[i]);
	if (!error)
		putchar('\n');
	return error;
}

static int
run_compiler(struct words *words, const struct verb_call *call)
{
	const struct cc_config *config = call->config;
	const struct asked asked = look(call->argc, call->argv);
	int error = 0;

	add(words, config->compiler);
	for (int i = 0; i < call->argc; i++)
		add(words, call->argv[i]);
	add_compile(words, config);
	if (asked.link)
		error = add_link(words, config, &asked);
	if (error)
		return error;
	add(words, NULL);
	fflush(NULL);
	execvp(config->compiler, (char **)(uintptr_t)words->word);
	error = errno;
	fail_errno(error, "cc: %s", config->compiler);
	return error == ENOENT ? STATUS_NOT_FOUND : STATUS_NO_EXEC;
}

static int
cc_run(const struct verb_call *call)
{
	const struct cc_config *config = call->config;
	struct words words = { .n = 0 };
	int status;

	if (!call->argc == !config->flags) {
		fail(EINVAL, call->argc ? "cc: arguments or --flags, not both"
					: "cc: what shall be compiled?");
		return STATUS_USAGE;
	}
	if (config->hooks == HOOKS_COVERAGE && !is_clang(config->compiler)) {
		fail(EINVAL, "cc: --hooks coverage is clang's; %s is none",
		     config->compiler);
		return STATUS_USAGE;
	}
	words.word = calloc((size_t)call->argc + 32, sizeof(*words.word));
	if (!words.word)
		return fail(ENOMEM, "cc: no memory");
	status = config->flags ? print_flags(&words, config)
			       : run_compiler(&words, call);
	free(words.word);
	return status;
}

const struct verb_ops cc_verb = {
	.name = "cc",
	.help = "compile a program so that record -e hooks sees its accesses",
	.arguments = "[OPTION...] [--] ARGUMENT...",
	.details =
		"Runs a compiler (gcc, or what --compiler names) with the "
		"arguments given and those that make it call a hook at each "
		"load and store; a program that is linked gets the runtime "
		"with the hooks. `record -e hooks` then records it, all its "
		"threads in parallel, natively. Without a recorder it runs as "
		"ever, a little slower.\n\n"
		"Recorded is what the compiled code itself accesses: not what "
		"libraries do that were not built so (the C library's memcpy), "
		"nor registers that are saved on the stack, nor locals whose "
		"address is never taken with gcc. A gcc records each function "
		"entry as the fetch of one byte, a clang too.\n\n"
		"Optimisation at link time is switched off, as the hooks would "
		"be lost. Programs that are built with another sanitizer "
		"cannot be built so.",
	.examples =
		"# flags for a build system\n"
		"pagescope cc --flags compile\n"
		"pagescope cc --flags link\n"
		"# in the place of a compiler (not tested)\n"
		"make CC='pagescope cc --'\n"
		"# (not tested)\n"
		"pagescope cc --compiler clang -- -O2 -o program program.c\n"
		"# (not tested)\n"
		"pagescope record -e hooks -o program.pst -- ./program\n",
	.options = &cc_options,
	.command = true,
	.run = cc_run,
};
