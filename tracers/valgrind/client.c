// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the program sees of us: nothing, if it can be helped.  Valgrind adds
 * LD_PRELOAD and VALGRIND_LIB to its environment and puts the path of an
 * exec'd program in place of its first argument; and an exec of
 * /proc/self/exe would run Valgrind.
 *
 *	stack at the start: argc | argv ... 0 | environment ... 0 | auxv ...
 */
#include "tracers/valgrind/tool.h"

#include "pub_tool_libcbase.h"
#include "pub_tool_libcfile.h"
#include "pub_tool_libcprint.h"
#include "pub_tool_libcproc.h"
#include "pub_tool_machine.h"
#include "pub_tool_vkiscnums.h"
#include "pub_tool_xarray.h"

#include "pub_tool_clientstate.h"

extern void VG_(set_SP)(ThreadId tid, Addr sp);
extern Int VG_(cl_exec_fd);

#define PRELOAD "LD_PRELOAD="
#define LIBRARY "VALGRIND_LIB="

static HChar first_argument[512]; /* of the program; "": as it is */
static HChar itself[1024];	  /* path for an exec of /proc/self/exe */
static const HChar *exec_path;	  /* of the exec going on */

static Bool
begins(const HChar *text, const HChar *prefix)
{
	return VG_(strncmp)(text, prefix, VG_(strlen)(prefix)) == 0;
}

/* Does this variable come from Valgrind alone?  Where the program's own
 * LD_PRELOAD stands behind Valgrind's, it alone is left. */
static Bool
variable_is_ours(HChar *variable)
{
	HChar *behind;

	if (begins(variable, LIBRARY))
		return True;
	if (!begins(variable, PRELOAD) ||
	    !VG_(strstr)(variable, "vgpreload_core"))
		return False;
	behind = VG_(strchr)(variable, ':');
	if (!behind || !behind[1])
		return True;
	VG_(memmove)
	(variable + VG_(strlen)(PRELOAD), behind + 1,
	 VG_(strlen)(behind + 1) + 1);
	return False;
}

/* Put what was the first argument of the exec in place of the path, where
 * there is room for it. */
static void
argument_restore(HChar **argv, HChar *spare)
{
	SizeT length = VG_(strlen)(first_argument);

	if (!argv[0] || VG_(strcmp)(argv[0], VG_(args_the_exename)) != 0)
		return; /* of a script: it is the interpreter's, as it should */
	if (length <= VG_(strlen)(argv[0])) {
		VG_(strcpy)(argv[0], first_argument);
	} else if (spare && length <= VG_(strlen)(spare)) {
		VG_(strcpy)(spare, first_argument);
		argv[0] = spare;
	}
}

void
client_begin(ThreadId tid)
{
	UWord *sp = (UWord *)VG_(get_SP)(tid);
	HChar **argv = (HChar **)(sp + 1);
	HChar **variable = argv + sp[0] + 1, **to;
	UInt n = 0, ours = 0;
	HChar *spare = NULL;

	for (; variable[n]; n++) {
		if (!variable_is_ours(variable[n]))
			continue;
		ours++;
		if (begins(variable[n], LIBRARY))
			spare = variable[n];
	}
	/* The stack pointer has to stay a multiple of 16. */
	if (ours != 2)
		spare = NULL;
	if (first_argument[0])
		argument_restore(argv, spare);
	if (ours != 2)
		return;
	to = variable + n;
	for (UInt i = n; i-- > 0;) {
		if (variable[i] != spare && !variable_is_ours(variable[i]))
			*--to = variable[i];
	}
	VG_(memmove)(sp + 2, sp, (UWord)((UWord *)variable - sp) * sizeof(*sp));
	VG_(set_SP)(tid, (Addr)(sp + 2));
}

void
client_first_argument(const HChar *text)
{
	VG_(strncpy)(first_argument, text, sizeof(first_argument) - 1);
}

void
client_exec(const HChar *path, const HChar *argument)
{
	HChar link[40], own[40];
	SSizeT n;

	exec_path = NULL;
	first_argument[0] = '\0';
	if (argument && VG_(strlen)(argument) < sizeof(first_argument))
		VG_(strcpy)(first_argument, argument);
	if (!path)
		return;
	VG_(sprintf)(own, "/proc/%d/exe", VG_(getpid)());
	if (VG_(strcmp)(path, "/proc/self/exe") != 0 &&
	    VG_(strcmp)(path, own) != 0)
		return;
	VG_(sprintf)(link, "/proc/self/fd/%d", VG_(cl_exec_fd));
	n = VG_(readlink)(link, itself, sizeof(itself) - 1);
	if (n <= 0)
		return;
	itself[n] = '\0';
	exec_path = path;
}

const HChar *
client_argument(void)
{
	return first_argument;
}

/*
 * Valgrind's own system calls, by the linker's --wrap: in an exec of its
 * launcher the program's path stands behind the options.
 */
SysRes __real_vgPlain_do_syscall(UWord, RegWord, RegWord, RegWord, RegWord,
				 RegWord, RegWord, RegWord, RegWord);
SysRes __wrap_vgPlain_do_syscall(UWord, RegWord, RegWord, RegWord, RegWord,
				 RegWord, RegWord, RegWord, RegWord);

SysRes
__wrap_vgPlain_do_syscall(UWord number, RegWord a, RegWord b, RegWord c,
			  RegWord d, RegWord e, RegWord f, RegWord g, RegWord h)
{
	if (number == __NR_execve && exec_path) {
		const HChar **argv = (const HChar **)b;
		Word at = 1 + VG_(sizeXA)(VG_(args_for_valgrind)) -
			  VG_(args_for_valgrind_noexecpass);

		if (argv[at] && VG_(strcmp)(argv[at], exec_path) == 0)
			argv[at] = itself;
	}
	return __real_vgPlain_do_syscall(number, a, b, c, d, e, f, g, h);
}
