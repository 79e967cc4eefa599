// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What happens beside the accesses: mappings, the kernel's own accesses,
 * threads, fork, exec, signals.  Mappings are taken from the system calls
 * (they know flags and offsets), except for brk, which Valgrind emulates, and
 * for what is there at the start.
 */
#include "tracers/valgrind/tool.h"

#include "pub_tool_aspacemgr.h"
#include "pub_tool_libcbase.h"
#include "pub_tool_libcfile.h"
#include "pub_tool_libcproc.h"
#include "pub_tool_machine.h"
#include "pub_tool_threadstate.h"
#include "pub_tool_vkiscnums.h"

#include "pub_tool_clientstate.h"
#include "pub_tool_xarray.h"

extern Bool VG_(clo_trace_children);
extern Addr VG_(brk_base);
extern Bool VG_(is_exiting)(ThreadId tid);
extern const UChar VG_(trampoline_stuff_start)[];
extern void VG_(discard_translations)(Addr start, ULong length,
				      const HChar *who);
extern VexControl vex_control; /* of libVEX: what it was started with */

#define EVENT(type, ...)                                               \
	do {                                                           \
		const ULong words_[] = { __VA_ARGS__ };                \
		producer_event((type), sizeof(words_) / sizeof(ULong), \
			       words_);                                \
	} while (0)

#define PATH_WORDS 512u /* PATH_MAX */

static Int running_tid;	 /* as the kernel numbers it */
static ThreadId running; /* as Valgrind does */
Bool observe_clean = True;
static Bool client_began;
static Bool in_client;	   /* generated code is running */
static Int signal_pending; /* delivered; its handler is about to run */
static Bool exit_called;
static Int exit_code;
static Bool exec_untraced;  /* the one being tried */
static ULong detach_length; /* of the shmdt being called */

static ULong
page_up(ULong length)
{
	return (length + RING_PAGE - 1) & ~(ULong)(RING_PAGE - 1);
}

/* Words, then text that fills its last word with zeros. */
static void
event_text(UInt type, UInt n, const ULong *word, const HChar *text)
{
	ULong all[8 + PATH_WORDS];
	UInt length = text ? (UInt)VG_(strlen)(text) : 0;
	UInt text_words = length / sizeof(ULong) + 1;

	if (text_words > PATH_WORDS)
		length = 0, text_words = 1;
	VG_(memcpy)(all, word, n * sizeof(ULong));
	all[n + text_words - 1] = 0;
	if (length)
		VG_(memcpy)(all + n, text, length);
	producer_event(type, n + text_words, all);
}

static void
map_event(Addr at, ULong length, UInt flags)
{
	const NSegment *segment = VG_(am_find_nsegment)(at);
	const HChar *name = NULL;
	ULong word[] = { at, page_up(length), flags, 0, 0, 0 };

	if (segment && segment->kind == SkFileC) {
		word[2] |= RING_MAP_FILE;
		word[3] = (ULong)segment->offset + (at - segment->start);
		word[4] = segment->dev;
		word[5] = segment->ino;
		name = VG_(am_get_filename)(segment);
	} else if (flags & RING_MAP_STACK) {
		name = "[stack]";
	} else if (flags & RING_MAP_HEAP) {
		name = "[heap]";
	}
	event_text(RECORD_MAP, 6, word, name);
}

static UInt
rights(Bool r, Bool w, Bool x)
{
	return (r ? RING_MAP_READ : 0u) | (w ? RING_MAP_WRITE : 0u) |
	       (x ? RING_MAP_EXEC : 0u);
}

/* It grows down: what lies below is kept free for it. */
static Bool
grows_down(Addr at)
{
	const NSegment *below = VG_(am_find_nsegment)(at - 1);

	return below && below->kind == SkResvn && below->smode == SmUpper;
}

static void
startup(Addr at, SizeT length, Bool r, Bool w, Bool x, ULong debug_info)
{
	UInt flags = rights(r, w, x) | RING_MAP_INITIAL;
	Addr trampoline = (Addr)VG_(trampoline_stuff_start);

	/* Valgrind keeps a page for a heap that is still empty; and it reports
	 * its trampoline again, by itself. */
	if (at == VG_(brk_base) || at % RING_PAGE)
		return;
	if (at <= trampoline && trampoline < at + length)
		flags |= RING_MAP_RECORDER;
	if (grows_down(at))
		flags |= RING_MAP_STACK;
	map_event(at, length, flags);
}

/* A break in the middle of a page has all of it mapped. */
static void
brk_grow(Addr at, SizeT length, ThreadId tid)
{
	Addr from = page_up(at), to = page_up(at + length);

	if (client_began && from < to)
		map_event(from, to - from,
			  RING_MAP_READ | RING_MAP_WRITE | RING_MAP_HEAP);
}

static void
brk_shrink(Addr at, SizeT length)
{
	Addr from = page_up(at), to = page_up(at + length);

	if (client_began && from < to)
		EVENT(RECORD_UNMAP, from, to - from);
}

static void
kernel_read(CorePart part, ThreadId tid, const HChar *what, Addr at,
	    SizeT length)
{
	if (part == Vg_CoreSysCall && length)
		EVENT(RECORD_KERNEL_READ, at, length);
}

/* Length of a client's string with its end, as far as it can be read. */
static SizeT
string_length(Addr at)
{
	SizeT n = 0;

	for (;;) {
		if ((n == 0 || ((at + n) & (RING_PAGE - 1)) == 0) &&
		    !VG_(am_is_valid_for_client)(at + n, 1, VKI_PROT_READ))
			return n;
		if (((const HChar *)at)[n++] == '\0')
			return n;
	}
}

static void
kernel_read_string(CorePart part, ThreadId tid, const HChar *what, Addr at)
{
	kernel_read(part, tid, what, at, string_length(at));
}

static void
kernel_write(CorePart part, ThreadId tid, Addr at, SizeT length)
{
	if ((part == Vg_CoreSysCall || part == Vg_CoreSignal) && length)
		EVENT(RECORD_KERNEL_WRITE, at, length);
}

static void
client_starts(ThreadId tid, ULong blocks)
{
	producer_quiet(False);
	if (tid != running) {
		running = tid;
		running_tid = VG_(gettid)();
		EVENT(RECORD_THREAD, (ULong)running_tid);
	}
	if (signal_pending) {
		EVENT(RECORD_SIGNAL, (ULong)signal_pending, VG_(get_IP)(tid));
		signal_pending = 0;
	}
	if (!client_began && observe_clean)
		client_begin(tid);
	client_began = in_client = True;
	if (producer.at.hurry)
		producer_flush();
}

/* The superblock that ran was left inside, by a fault. */
static void
client_broken(ThreadId tid)
{
	if (in_client)
		producer_fault(VG_(get_IP)(tid), instrument_widest);
	in_client = False;
}

/* A fault without a handler gets here with the thread about to end. */
static void
client_stops(ThreadId tid, ULong blocks)
{
	if (VG_(is_exiting)(tid))
		client_broken(tid);
	in_client = False;
	producer_quiet(True);
}

static void
signal_delivered(ThreadId tid, Int number, Bool alternate_stack)
{
	client_broken(tid);
	signal_pending = number;
}

static void
thread_ends(ThreadId tid)
{
	EVENT(RECORD_THREAD_END, (ULong)VG_(gettid)(), (ULong)exit_code);
	if (tid == running)
		running = VG_INVALID_THREADID;
}

/* Would Valgrind refuse it?  Then it runs natively instead. */
static enum record_exec
exec_kind(const HChar *path)
{
	UChar head[20];
	struct vg_stat about;
	SysRes file = VG_(open)(path, VKI_O_RDONLY, 0);
	enum record_exec kind = EXEC_TRACED;

	if (!sr_isError(VG_(stat)(path, &about)) &&
	    ((about.mode & (VKI_S_ISUID | VKI_S_ISGID)) ||
	     !sr_isError(SYSTEM(__NR_getxattr, path, "security.capability",
				NULL, 0, 0, 0))))
		kind = EXEC_PRIVILEGED;
	if (sr_isError(file))
		return kind;
	if (VG_(read)((Int)sr_Res(file), head, sizeof(head)) ==
		    (Int)sizeof(head) &&
	    VG_(memcmp)(head, "\177ELF", 4) == 0 &&
	    (head[4] != 2 || head[18] != 62 || head[19] != 0))
		kind = EXEC_FOREIGN; /* not 64 bits, or not EM_X86_64 */
	VG_(close)((Int)sr_Res(file));
	return kind;
}

/* A client's string, or NULL if it can't be read. */
static const HChar *
string_at(Addr at)
{
	SizeT length = string_length(at);

	return length && !((const HChar *)at)[length - 1] ? (const HChar *)at
							  : NULL;
}

static void
exec_before(Addr path_at, Addr argv)
{
	const HChar *path = string_at(path_at), *argument = NULL;
	ULong kind;

	client_exec(NULL, NULL);
	if (!path || !VG_(clo_trace_children))
		return;
	if (VG_(am_is_valid_for_client)(argv, sizeof(Addr), VKI_PROT_READ))
		argument = string_at(*(const Addr *)argv);
	kind = exec_kind(path);
	event_text(RECORD_EXEC, 1, &kind, path);
	producer_flush();
	exec_untraced = kind != EXEC_TRACED;
	if (exec_untraced) {
		VG_(clo_trace_children) = False;
		return;
	}
	client_exec(path, argument);
	producer_pass(True);
}

static void
exec_failed(void)
{
	ULong kind = EXEC_FAILED;

	if (exec_untraced)
		VG_(clo_trace_children) = True;
	exec_untraced = False;
	client_exec(NULL, NULL);
	producer_pass(False);
	event_text(RECORD_EXEC, 1, &kind, NULL);
}

/*
 * Registers are right in memory at each access, not only at the ends of
 * superblocks, once a handler may look at them there and return: without that
 * such programs loop, with it all code is slower (measured: 8 % of gzip).
 */
static void
handler_before(UInt number, Addr at)
{
	const struct vki_sigaction_base *action = (const void *)at;

	if ((number != VKI_SIGSEGV && number != VKI_SIGBUS &&
	     number != VKI_SIGFPE && number != VKI_SIGILL &&
	     number != VKI_SIGTRAP) ||
	    vex_control.iropt_register_updates_default >=
		    VexRegUpdAllregsAtMemAccess ||
	    !VG_(am_is_valid_for_client)(at, sizeof(*action), VKI_PROT_READ) ||
	    action->ksa_handler == VKI_SIG_DFL ||
	    action->ksa_handler == VKI_SIG_IGN)
		return;
	vex_control.iropt_register_updates_default =
		VexRegUpdAllregsAtMemAccess;
	VG_(discard_translations)(0, ~0ull, "pagescope");
}

static void
detach_before(Addr at)
{
	const NSegment *segment = VG_(am_find_nsegment)(at);

	detach_length = segment ? segment->end - segment->start + 1 : 0;
}

static void
call_before(ThreadId tid, UInt number, UWord *arg, UInt n)
{
	switch (number) {
	case __NR_execve:
		exec_before(arg[0], arg[1]);
		break;
	case __NR_execveat:
		exec_before(arg[1], arg[2]);
		break;
	case __NR_rt_sigaction:
		handler_before((UInt)arg[0], arg[1]);
		break;
	case __NR_shmdt:
		detach_before(arg[0]);
		break;
	case __NR_exit:
	case __NR_exit_group:
		exit_called = True;
		exit_code = (Int)(arg[0] & 0xff);
		break;
	default:
		break;
	}
}

static UInt
map_flags(UWord prot, UWord flags)
{
	return rights(prot & VKI_PROT_READ, prot & VKI_PROT_WRITE,
		      prot & VKI_PROT_EXEC) |
	       (flags & VKI_MAP_SHARED ? RING_MAP_SHARED : 0u) |
	       (flags & (0x8000 | 0x2000) ? RING_MAP_POPULATE : 0u) |
	       (flags & 0x40000 ? RING_MAP_HUGETLB : 0u) |
	       (flags & VKI_MAP_NORESERVE ? RING_MAP_NORESERVE : 0u);
}

static void
remap_event(const UWord *arg, Addr to)
{
	const NSegment *segment = VG_(am_find_nsegment)(to);

	if (arg[1]) {
		EVENT(RECORD_REMAP, arg[0], page_up(arg[1]), to,
		      page_up(arg[2]));
	} else if (segment) { /* a second view of a shared mapping */
		map_event(to, arg[2],
			  rights(segment->hasR, segment->hasW, segment->hasX) |
				  RING_MAP_SHARED);
	}
}

static void
attach_event(Addr at)
{
	const NSegment *segment = VG_(am_find_nsegment)(at);

	if (segment)
		map_event(at, segment->end - at + 1,
			  rights(segment->hasR, segment->hasW, segment->hasX) |
				  RING_MAP_SHARED);
}

static void
clone_event(UInt number, UWord flags, Word result)
{
	if (number == __NR_clone && (flags & VKI_CLONE_THREAD)) {
		if (result > 0)
			EVENT(RECORD_THREAD_NEW, (ULong)result);
	} else if (result != 0) {
		producer_fork_done((Int)result);
	}
}

/* The calls that did what they were asked to */
static void
call_done(UInt number, const UWord *arg, UWord result)
{
	switch (number) {
	case __NR_mmap:
		map_event(result, arg[1], map_flags(arg[2], arg[3]));
		break;
	case __NR_munmap:
		EVENT(RECORD_UNMAP, arg[0], page_up(arg[1]));
		break;
	case __NR_mprotect:
	case __NR_pkey_mprotect:
		EVENT(RECORD_PROTECT, arg[0], page_up(arg[1]),
		      map_flags(arg[2], 0));
		break;
	case __NR_mremap:
		remap_event(arg, result);
		break;
	case __NR_madvise:
		EVENT(RECORD_ADVISE, arg[0], page_up(arg[1]), arg[2]);
		break;
	case __NR_mlock:
	case __NR_mlock2:
	case __NR_munlock:
		EVENT(RECORD_LOCK, arg[0], page_up(arg[1]),
		      number == __NR_munlock);
		break;
	case __NR_mlockall:
	case __NR_munlockall:
		EVENT(RECORD_LOCK, 0, 1ull << 47, number == __NR_munlockall);
		break;
	case __NR_shmat:
		attach_event(result);
		break;
	case __NR_shmdt:
		EVENT(RECORD_UNMAP, arg[0], detach_length);
		break;
	default:
		break;
	}
}

static void
call_after(ThreadId tid, UInt number, UWord *arg, UInt n, SysRes result)
{
	Bool failed = sr_isError(result);

	switch (number) {
	case __NR_execve:
	case __NR_execveat:
		exec_failed(); /* or we would not be here */
		break;
	case __NR_clone:
	case __NR_fork:
	case __NR_vfork:
		clone_event(number, arg[0], failed ? -1 : (Word)sr_Res(result));
		break;
	default:
		if (!failed)
			call_done(number, arg, sr_Res(result));
		break;
	}
}

void
observe_program(UInt fork)
{
	ULong word[] = { (ULong)VG_(getpid)(), (ULong)VG_(getppid)(),
			 (ULong)VG_(gettid)(), fork };

	running_tid = VG_(gettid)();
	event_text(RECORD_START, 4, word, VG_(args_the_exename));
}

void
observe_exit(Int code)
{
	EVENT(RECORD_EXIT, exit_called ? (ULong)exit_code : (ULong)code,
	      exit_called);
}

void
observe_open(void)
{
	VG_(needs_syscall_wrapper)(call_before, call_after);
	VG_(track_new_mem_startup)(startup);
	VG_(track_new_mem_brk)(brk_grow);
	VG_(track_die_mem_brk)(brk_shrink);
	VG_(track_pre_mem_read)(kernel_read);
	VG_(track_pre_mem_read_asciiz)(kernel_read_string);
	VG_(track_post_mem_write)(kernel_write);
	VG_(track_start_client_code)(client_starts);
	VG_(track_stop_client_code)(client_stops);
	VG_(track_pre_thread_ll_exit)(thread_ends);
	VG_(track_pre_deliver_signal)(signal_delivered);
}
