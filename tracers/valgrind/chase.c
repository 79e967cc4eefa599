// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * VEX puts blocks of code that follow each other into one superblock (it
 * "chases"): behind a jump or call to a known place, and, once and at the end,
 * the second block of an `a && b`, whose two branches lead to the same place.
 * That block is computed always, but takes effect only if the first branch
 * went there: g below.
 *
 *	block, exits | block, exits | ... block, its branch left out |
 *	the && block, exit if (g and its own branch)
 *
 * What is told must be as if each block were a superblock of its own.  So we
 * look over the shoulder of VEX's front end: where blocks begin and end is
 * marked by hints in its IR, which its optimizer keeps and instrument.c takes
 * out, and blocks are as long as they are without chasing.
 *
 * The front end's interface is VEX's own, and read from 3.19.  Another version
 * does not chase.
 */
#include "tracers/valgrind/tool.h"

#include "pub_tool_libcassert.h"

#include "libvex_guest_amd64.h"
#include "valgrind.h"

/* What VEX takes for a block if it does not chase (--vex-guest-max-insns of
 * old), and one where it has been warned of long code */
#define BLOCK_INSTRUCTIONS	   60u
#define BLOCK_INSTRUCTIONS_VERBOSE 31u
#define SUPERBLOCK_INSTRUCTIONS	   100u /* VEX's limit */
/* There is room for such a block behind so many. */
#define CHASE_INSTRUCTIONS_MAX (SUPERBLOCK_INSTRUCTIONS - BLOCK_INSTRUCTIONS)

extern VexControl VG_(clo_vex_control);

#if __VALGRIND_MAJOR__ == 3 && __VALGRIND_MINOR__ == 19

/* guest_generic_bb_to_IR.h, which is not installed */
enum {
	NEXT_STOP = 0x10,
	NEXT_CONTINUE,
	HINT_NONE = 0x20,
	HINT_VERBOSE
};

struct disassembled {
	UInt length, next, hint;
	IRJumpKind stop_kind;
};

typedef struct disassembled disassemble_instruction(IRSB *, const UChar *, Long,
						    Addr, VexArch,
						    const VexArchInfo *,
						    const VexAbiInfo *,
						    VexEndness, Bool);
typedef Bool chase_allowed(void *, Addr);
typedef UInt self_check(void *, VexRegisterUpdates *, const VexGuestExtents *);
typedef Bool preamble(void *, IRSB *);

IRSB *__real_bb_to_IR(VexGuestExtents *, UInt *, UInt *, UShort *, UShort *,
		      VexRegisterUpdates *, void *, disassemble_instruction *,
		      const UChar *, Addr, chase_allowed *, VexEndness, Bool,
		      VexArch, const VexArchInfo *, const VexAbiInfo *, IRType,
		      self_check *, preamble *, Int, Int, Int, Int);
IRSB *__wrap_bb_to_IR(VexGuestExtents *, UInt *, UInt *, UShort *, UShort *,
		      VexRegisterUpdates *, void *, disassemble_instruction *,
		      const UChar *, Addr, chase_allowed *, VexEndness, Bool,
		      VexArch, const VexArchInfo *, const VexAbiInfo *, IRType,
		      self_check *, preamble *, Int, Int, Int, Int);

/* Of the superblock in the making: how many instructions its blocks have.  The
 * last two may have been looked at only. */
static disassemble_instruction *disassemble;
static chase_allowed *allowed;
static UInt block[2 + SUPERBLOCK_INSTRUCTIONS];
static UInt blocks, instructions;
static Bool verbose;

static struct disassembled
disassemble_counted(IRSB *irsb, const UChar *code, Long delta, Addr pc,
		    VexArch arch, const VexArchInfo *about,
		    const VexAbiInfo *abi, VexEndness endness, Bool diagnose)
{
	struct disassembled result;
	UInt most;

	/* A block after the first begins in an IRSB of its own. */
	if (!blocks || irsb->stmts_used == 1)
		block[blocks++] = 0;
	tl_assert(blocks < sizeof(block) / sizeof(block[0]));
	result = disassemble(irsb, code, delta, pc, arch, about, abi, endness,
			     diagnose);
	instructions++;
	verbose |= result.hint == HINT_VERBOSE;
	most = verbose ? BLOCK_INSTRUCTIONS_VERBOSE : BLOCK_INSTRUCTIONS;
	if (++block[blocks - 1] >= most && result.next == NEXT_CONTINUE) {
		result.next = NEXT_STOP;
		result.stop_kind = Ijk_Boring;
	}
	return result;
}

static Bool
chase(void *context, Addr to)
{
	return instructions <= CHASE_INSTRUCTIONS_MAX && !verbose &&
	       allowed(context, to);
}

/* Index of the mark of instruction n, or of what is behind the last one */
static Int
instruction_find(const IRSB *irsb, UInt n)
{
	Int i = 0;

	for (; i < irsb->stmts_used; i++)
		if (irsb->stmts[i]->tag == Ist_IMark && n-- == 0)
			break;
	return i;
}

/* Put the last n statements at this place. */
static void
statements_insert(IRSB *irsb, Int at, Int n)
{
	while (n--) {
		IRStmt *last = irsb->stmts[irsb->stmts_used - 1];

		for (Int i = irsb->stmts_used - 1; i > at; i--)
			irsb->stmts[i] = irsb->stmts[i - 1];
		irsb->stmts[at] = last;
	}
}

static void
mark(IRSB *irsb, IRExpr *guard, enum chase_mark which)
{
	addStmtToIRSB(irsb, IRStmt_AbiHint(guard, which,
					   IRExpr_Const(IRConst_U64(0))));
}

/* The && block, from instruction n on.  Its exit stays the last statement: VEX
 * looks there for loops to unroll. */
static void
mark_guarded(IRSB *irsb, UInt n)
{
	const IRStmt *last = irsb->stmts[irsb->stmts_used - 1];
	const IRStmt *both = irsb->stmts[irsb->stmts_used - 2];
	IRTemp guard = newIRTemp(irsb->tyenv, Ity_I64);
	const IRExpr *value;

	tl_assert(last->tag == Ist_Exit && both->tag == Ist_WrTmp);
	value = both->Ist.WrTmp.data;
	tl_assert(value->tag == Iex_Binop && value->Iex.Binop.op == Iop_And1);
	mark(irsb, IRExpr_Const(IRConst_U64(1)), CHASE_GUARDED_END);
	statements_insert(irsb, irsb->stmts_used - 2, 1);
	addStmtToIRSB(irsb,
		      IRStmt_WrTmp(guard, IRExpr_Unop(Iop_1Uto64,
						      value->Iex.Binop.arg2)));
	mark(irsb, IRExpr_RdTmp(guard), CHASE_GUARDED);
	statements_insert(irsb, instruction_find(irsb, n), 2);
}

IRSB *
__wrap_bb_to_IR(VexGuestExtents *extents, UInt *n_checks, UInt *n_instructions,
		UShort *n_chased, UShort *n_guarded,
		VexRegisterUpdates *precision, void *context,
		disassemble_instruction *one, const UChar *code, Addr pc,
		chase_allowed *may, VexEndness endness, Bool diagnose,
		VexArch arch, const VexArchInfo *about, const VexAbiInfo *abi,
		IRType word, self_check *check, preamble *before, Int start,
		Int length, Int ip, Int ip_bytes)
{
	IRSB *irsb;
	UInt n = 0;

	disassemble = one;
	allowed = may;
	blocks = instructions = 0;
	verbose = False;
	irsb = __real_bb_to_IR(extents, n_checks, n_instructions, n_chased,
			       n_guarded, precision, context,
			       disassemble_counted, code, pc, chase, endness,
			       diagnose, arch, about, abi, word, check, before,
			       start, length, ip, ip_bytes);
	for (UInt i = 0; i < *n_chased; i++) {
		n += block[i];
		mark(irsb, IRExpr_Const(IRConst_U64(1)), CHASE_BLOCK);
		statements_insert(irsb, instruction_find(irsb, n), 1);
	}
	if (*n_guarded) {
		tl_assert(*n_guarded == 1);
		mark_guarded(irsb, n + block[*n_chased]);
	}
	return irsb;
}

void
chase_open(void)
{
	VG_(clo_vex_control).guest_chase = True;
	VG_(clo_vex_control).guest_max_insns = (Int)SUPERBLOCK_INSTRUCTIONS;
}

#else

/* To the real one, whatever its arguments are */
__asm__(".weak __real_bb_to_IR\n"
	".global __wrap_bb_to_IR\n"
	"__wrap_bb_to_IR: jmp __real_bb_to_IR\n");

void
chase_open(void)
{
	VG_(clo_vex_control).guest_chase = False;
}

#endif
