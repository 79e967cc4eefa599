// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Handing a plan's shards to GNU parallel or to a Slurm array: a script in the
 * sweep's directory, which is then started and can be started again by hand.
 * All shards work on the same directory, so that has to be one that all of
 * them see.
 */
#include "analyzer/cmd-common.h"
#include "analyzer/cmd-sweep.h"
#include "analyzer/fail.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLURM_SHARDS 64u /* of an array, where nobody says */

/* A number from the environment, or `otherwise`; -1: it is none */
static long
environment(const char *name, long otherwise)
{
	const char *text = getenv(name);
	char *end;
	long n;

	if (!text || !*text)
		return otherwise;
	errno = 0;
	n = strtol(text, &end, 10);
	return *end || errno || n < 0 ? -1 : n;
}

/* Of an array 1-8, or 0-7, or 10-80:10 */
static int
shard_of_slurm(size_t *shard, size_t *shards)
{
	long id = environment("SLURM_ARRAY_TASK_ID", -1);
	long n = environment("SLURM_ARRAY_TASK_COUNT", -1);
	long least = environment("SLURM_ARRAY_TASK_MIN", 1);
	long step = environment("SLURM_ARRAY_TASK_STEP", 1);

	if (n < 1 || id < least || least < 0 || step < 1 ||
	    (id - least) % step || (id - least) / step >= n)
		return fail(EUSAGE,
			    "sweep: SLURM_ARRAY_TASK_ID=%s is no shard of %s: "
			    "--shard I/N says which",
			    getenv("SLURM_ARRAY_TASK_ID"),
			    getenv("SLURM_ARRAY_TASK_COUNT")
				    ? getenv("SLURM_ARRAY_TASK_COUNT")
				    : "an array of unknown size");
	*shard = (size_t)((id - least) / step) + 1;
	*shards = (size_t)n;
	return 0;
}

int
sweep_shard(size_t *shard, size_t *shards, const char *text)
{
	unsigned long i, n;
	char *end, *last;

	*shard = *shards = 1;
	if (!text)
		return getenv("SLURM_ARRAY_TASK_ID")
			       ? shard_of_slurm(shard, shards)
			       : 0;
	errno = 0;
	i = strtoul(text, &end, 10);
	n = *end == '/' ? strtoul(end + 1, &last, 10) : 0;
	if (errno || end == text || *end != '/' || *last || last == end + 1 ||
	    strchr(text, '-') || i < 1 || i > n || n > SWEEP_POINTS_MOST)
		return fail(EUSAGE,
			    "sweep: --shard %s: I/N is needed, from 1/N to N/N",
			    text);
	*shard = i;
	*shards = n;
	return 0;
}

/* A word for sh */
static void
quote(FILE *file, const char *text)
{
	putc('\'', file);
	for (; *text; text++)
		if (*text == '\'')
			fputs("'\\''", file);
		else
			putc(*text, file);
	putc('\'', file);
}

struct submission {
	const struct sweep_options *options;
	char program[PATH_MAX], directory[PATH_MAX], script[PATH_MAX];
	size_t shards;
};

static void
write_slurm(const struct submission *submission, FILE *file)
{
	const struct sweep_options *options = submission->options;

	fprintf(file,
		"#!/bin/sh\n"
		"#SBATCH --job-name=pagescope-sweep\n"
		"#SBATCH --array=1-%zu\n"
		"#SBATCH --output=\"%s/slurm-%%A_%%a.log\"\n",
		submission->shards, submission->directory);
	if (options->jobs >= 0)
		fprintf(file, "#SBATCH --cpus-per-task=%lld\n",
			(long long)options->jobs + 1);
	for (size_t i = 0; options->sbatch && options->sbatch[i]; i++)
		fprintf(file, "#SBATCH %s\n", options->sbatch[i]);
	fputs("# one element again: sbatch --array=3 this file\n", file);
	/* Slurm's count is of what was asked for, so it is said here */
	fputs("exec ", file);
	quote(file, submission->program);
	fputs(" sweep run ", file);
	quote(file, submission->directory);
	fprintf(file, " --shard \"$SLURM_ARRAY_TASK_ID/%zu\"",
		submission->shards);
	fprintf(file, " -j \"$((${SLURM_CPUS_PER_TASK:-1} - 1))\"\n");
}

static void
write_parallel(const struct submission *submission, FILE *file)
{
	char log[PATH_MAX + 16];

	fputs("#!/bin/sh\n"
	      "# more hosts: parallel's --sshlogin, as arguments of this file\n"
	      "exec parallel --joblog ",
	      file);
	snprintf(log, sizeof(log), "%s/joblog", submission->directory);
	quote(file, log);
	if (submission->options->jobs >= 0)
		fprintf(file, " --jobs %lld",
			(long long)submission->options->jobs + 1);
	fputs(" \"$@\" -q ", file);
	quote(file, submission->program);
	fputs(" sweep run ", file);
	quote(file, submission->directory);
	fprintf(file, " --shard '{}/%zu' -j 0 :::", submission->shards);
	for (size_t i = 1; i <= submission->shards; i++)
		fprintf(file, " %zu", i);
	putc('\n', file);
}

static int
count_shards(struct submission *submission, const struct sweep_plan *plan)
{
	const struct sweep_options *options = submission->options;
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	size_t n = 0, shards = SLURM_SHARDS;

	for (size_t i = 0; i < plan->n_points; i++)
		n += !plan->point[i].reason && !plan->point[i].again;
	/* some more than processors, as they do not take equally long */
	if (options->parallel)
		shards = 4 * (size_t)(processors > 0 ? processors : 1);
	if (options->shards)
		shards = (size_t)options->shards;
	submission->shards = shards < n ? shards : n;
	return 0;
}

static int
find_names(struct submission *submission, const struct sweep_plan *plan)
{
	ssize_t n = readlink("/proc/self/exe", submission->program,
			     sizeof(submission->program) - 1);

	if (n < 0)
		return fail_errno(errno, "sweep: /proc/self/exe");
	submission->program[n] = '\0';
	if (!realpath(plan->directory, submission->directory))
		return fail_errno(errno, "%s", plan->directory);
	if (submission->options->slurm &&
	    strpbrk(submission->directory, "\"\n%"))
		return fail(EUSAGE,
			    "sweep: %s: Slurm takes no such name (quotes, %%)",
			    submission->directory);
	return sweep_path(submission->script, sizeof(submission->script), plan,
			  submission->options->slurm ? "slurm.sh"
						     : "parallel.sh");
}

static int
write_script(const struct submission *submission)
{
	FILE *file = fopen(submission->script, "we");

	if (!file)
		return fail_errno(errno, "%s", submission->script);
	if (submission->options->slurm)
		write_slurm(submission, file);
	else
		write_parallel(submission, file);
	fchmod(fileno(file), 0755);
	errno = 0;
	if (ferror(file) | fclose(file))
		return fail_errno(errno ? errno : EIO, "%s",
				  submission->script);
	return 0;
}

/* Its status becomes ours. */
static int
start(bool slurm, const char *script)
{
	const char *program = slurm ? "sbatch" : "sh";
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child < 0)
		return fail_errno(errno, "sweep: fork");
	if (!child) {
		execlp(program, program, script, NULL);
		_exit(127);
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return fail_errno(errno, "sweep: wait");
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return STATUS_OK;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return fail(ENOENT, "sweep: cannot run %s (apt-get install %s)",
			    slurm ? program : "parallel",
			    slurm ? "slurm-client" : "parallel");
	return fail(EIO,
		    "sweep: %s: %s %d; `pagescope sweep run' goes on with what "
		    "is missing",
		    script, WIFEXITED(status) ? "status" : "killed by signal",
		    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

static int
print_script(const struct submission *submission)
{
	if (submission->options->slurm)
		write_slurm(submission, stdout);
	else
		write_parallel(submission, stdout);
	return STATUS_OK;
}

int
sweep_submit(const struct sweep_plan *plan, const struct sweep_options *options)
{
	struct submission submission = { .options = options };
	int error;

	if (options->slurm == options->parallel)
		return fail(EUSAGE, "sweep submit: --slurm or --parallel?");
	if (options->sbatch && !options->slurm)
		return fail(EUSAGE, "sweep submit: --sbatch is for --slurm");
	error = find_names(&submission, plan);
	if (!error)
		error = count_shards(&submission, plan);
	if (error)
		return error;
	if (options->dry_run)
		return print_script(&submission);
	error = write_script(&submission);
	if (error)
		return error;
	printf("%s: %zu shards\n", submission.script, submission.shards);
	return start(options->slurm, submission.script);
}
