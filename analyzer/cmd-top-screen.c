// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The terminal of pagescope top: the other screen, no cursor, keys at once.
 *
 * What we change has to be undone also when SIGKILL ends us, or a fault.  So a
 * guardian waits for the end of a pipe, in a session of its own, where no signal
 * of the terminal reaches it and where it may set the terminal's mode:
 *
 *	us	----pipe---- "q": we gave it back ourselves
 *	guardian ---+	     end: we are no more, it is on you
 */
#include "analyzer/cmd-top.h"
#include "analyzer/fail.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define ENTER "\033[?1049h\033[?25l\033[H\033[2J"
#define LEAVE "\033[0m\033[?25h\033[?1049l"

struct screen {
	struct termios mode; /* before us */
	int pipe;	     /* to the guardian */
	pid_t guardian;
};

/* All of it; a terminal that is gone is found out by reading. */
static int
put(const char *text, size_t n)
{
	while (n) {
		ssize_t done = write(STDOUT_FILENO, text, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		text += done;
		n -= (size_t)done;
	}
	return 0;
}

static void
give_back(const struct screen *screen)
{
	put(LEAVE, strlen(LEAVE));
	tcsetattr(STDIN_FILENO, TCSADRAIN, &screen->mode);
}

static int
take(const struct screen *screen)
{
	struct termios mode = screen->mode;

	mode.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
	mode.c_cc[VMIN] = 0;
	mode.c_cc[VTIME] = 0;
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &mode))
		return fail_errno(errno, "top: the terminal");
	return put(ENTER, strlen(ENTER));
}

static _Noreturn void
guard(const struct screen *screen, int end)
{
	sigset_t all;
	char byte;
	ssize_t got;

	setsid();
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	while ((got = read(end, &byte, 1)) < 0 && errno == EINTR)
		;
	if (got == 0)
		give_back(screen);
	_exit(0);
}

static int
begin_guardian(struct screen *screen)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return fail_errno(errno, "top: pipe");
	screen->guardian = fork();
	if (screen->guardian == 0) {
		close(ends[1]);
		guard(screen, ends[0]);
	}
	close(ends[0]);
	if (screen->guardian < 0) {
		close(ends[1]);
		return fail_errno(errno, "top: fork");
	}
	screen->pipe = ends[1];
	return 0;
}

int
screen_open(struct screen **out)
{
	const char *term = getenv("TERM");
	struct screen *screen;
	int error;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || !term ||
	    !*term || !strcmp(term, "dumb"))
		return -ENOTTY;
	screen = calloc(1, sizeof(*screen));
	if (!screen)
		return fail(ENOMEM, "top: no memory");
	error = tcgetattr(STDIN_FILENO, &screen->mode)
			? fail_errno(errno, "top: the terminal")
			: begin_guardian(screen);
	if (!error)
		error = take(screen);
	if (error) {
		screen_close(screen);
		return error;
	}
	*out = screen;
	return 0;
}

void
screen_close(struct screen *screen)
{
	ssize_t sent;

	if (!screen)
		return;
	if (screen->guardian > 0) {
		give_back(screen);
		sent = write(screen->pipe, "q", 1);
		(void)sent;
		close(screen->pipe);
		while (waitpid(screen->guardian, NULL, 0) < 0 && errno == EINTR)
			;
	}
	free(screen);
}

void
screen_size(unsigned *columns, unsigned *lines)
{
	struct winsize size = { 0 };

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_col ||
	    !size.ws_row)
		size = (struct winsize){ .ws_col = 80, .ws_row = 24 };
	*columns = size.ws_col;
	*lines = size.ws_row;
}

/* One line into `out`, no more than so many columns; returns what follows. */
static const char *
put_line(FILE *out, const char *text, unsigned columns)
{
	unsigned at = 0;

	while (*text && *text != '\n') {
		size_t n = 1;

		if (*text == '\033') { /* takes no room */
			n = strcspn(text, "m") + 1;
			fwrite(text, 1, strnlen(text, n), out);
			text += strnlen(text, n);
			continue;
		}
		while (((unsigned char)text[n] & 0xc0) == 0x80)
			n++;
		if (at++ < columns)
			fwrite(text, 1, n, out);
		text += n;
	}
	fputs("\033[0m\033[K", out);
	return *text ? text + 1 : text;
}

int
screen_draw(const char *text, const char *status)
{
	unsigned columns, lines;
	char *drawn = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&drawn, &n);
	int error;

	if (!out)
		return fail(ENOMEM, "top: no memory");
	screen_size(&columns, &lines);
	fputs("\033[H", out);
	for (unsigned i = 1; i < lines; i++) {
		text = put_line(out, text, columns);
		putc('\n', out);
	}
	fputs("\033[7m", out);
	put_line(out, status, columns);
	error = ferror(out) | fclose(out);
	if (!error)
		error = put(drawn, n);
	else
		error = fail(ENOMEM, "top: no memory");
	free(drawn);
	return error == -EIO ? 0 : error;
}

/* The next byte, or KEY_NONE, KEY_END */
static int
next_byte(void)
{
	struct pollfd poll_fd = { .fd = STDIN_FILENO, .events = POLLIN };
	unsigned char byte;
	ssize_t got;

	if (poll(&poll_fd, 1, 0) <= 0)
		return KEY_NONE;
	got = read(STDIN_FILENO, &byte, 1);
	if (got < 0 && errno == EINTR)
		return KEY_NONE;
	return got <= 0 ? KEY_END : byte;
}

int
screen_key(void)
{
	int key = next_byte();

	if (key != '\033')
		return key;
	/* an arrow or such, of which we know none: "[1;5A", "OP" */
	key = next_byte();
	if (key == '[')
		do {
			key = next_byte();
		} while (key > 0 && key < '@');
	else if (key == 'O')
		key = next_byte();
	return key == KEY_END ? KEY_END : KEY_OTHER;
}

void
screen_stop(struct screen *screen)
{
	sigset_t stop;

	give_back(screen);
	sigemptyset(&stop);
	sigaddset(&stop, SIGTSTP);
	raise(SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &stop, NULL);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	take(screen);
}
