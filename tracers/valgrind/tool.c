// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pagescope's Valgrind tool: records every access of the program it runs into
 * the ring whose descriptors stand in --ring=RING,LOG.  `pagescope record`
 * starts it; there is no use in starting it by hand.
 */
#include "tracers/valgrind/tool.h"

#include "pub_tool_libcassert.h"
#include "pub_tool_libcbase.h"
#include "pub_tool_libcprint.h"
#include "pub_tool_libcproc.h"
#include "pub_tool_options.h"

static const HChar *descriptors;

/*
 * In place of Valgrind's reader of debug information, by the linker's --wrap:
 * we need none, it takes most of the start-up, and 3.19 gives up on programs
 * whose DWARF is newer than it (clang's default).
 */
ULong __wrap_vgPlain_di_notify_mmap(Addr at, Bool valgrinds_own, Int fd);

ULong
__wrap_vgPlain_di_notify_mmap(Addr at, Bool valgrinds_own, Int fd)
{
	return 0;
}

static Bool
option(const HChar *text)
{
	if VG_STR_CLO (text, "--ring", descriptors) {
		return True;
	}
	if VG_BOOL_CLO (text, "--clean", observe_clean) {
		return True;
	}
	return False;
}

static void
usage(void)
{
	VG_(printf)
	("    --ring=RING,LOG   inherited file descriptors\n"
	 "    --clean=no        leave Valgrind's environment\n");
}

static void
options_done(void)
{
	if (!descriptors) {
		VG_(umsg)("valgrind: pagescope: run me by: pagescope record\n");
		VG_(exit)(1);
	}
	chase_open();
	producer_open(descriptors);
	observe_program(0);
}

static void
finish(Int code)
{
	observe_exit(code);
	producer_close();
}

static void
tool_open(void)
{
	VG_(details_name)("pagescope");
	VG_(details_version)(NULL);
	VG_(details_description)("records memory accesses");
	VG_(details_copyright_author)("GPL-2.0-or-later");
	VG_(details_bug_reports_to)("the authors of pagescope");
	VG_(details_avg_translation_sizeB)(400);
	VG_(basic_tool_funcs)(options_done, instrument, finish);
	VG_(needs_command_line_options)(option, usage, usage);
	VG_(atfork)(producer_fork_before, NULL, producer_fork_child);
	observe_open();
}

VG_DETERMINE_INTERFACE_VERSION(tool_open)
