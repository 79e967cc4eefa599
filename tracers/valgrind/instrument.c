// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is added to a superblock.  Its accesses are a fixed list, so at run
 * time only what the list can't know is stored: the addresses, and of those
 * only the roots (an address that is another one plus a constant is not
 * stored again), and which exit was taken.
 *
 *	if (cursor > limit) full();                  at the start
 *	P = cursor; P[0] = 1st exit's number, roots
 *	... P[1] = address of the 1st root ...       before each access that needs it
 *	P[0] = exit's number; cursor = &P[1 + roots so far]    before each exit
 *
 * in units of RECORD_UNIT bytes; roots are stored as 8 bytes, and the next one
 * overwrites what is too much.  What is the same as at the exit before is not
 * stored again.
 *
 * An exit that is not taken is overwritten by the next.  The list itself goes
 * to the consumer once, as RECORD_CODE.  A superblock with too many accesses
 * is split into parts, each like a superblock of its own.
 *
 * Which accesses there are, and that a load and a store of one instruction at
 * one address are one access, is as in Valgrind's lackey.
 */
#include "tracers/valgrind/tool.h"

#include "pub_tool_libcassert.h"
#include "pub_tool_libcbase.h"
#include "pub_tool_machine.h"
#include "pub_tool_mallocfree.h"

enum {
	LOAD,
	STORE,
	MODIFY
}; /* as enum site_kind */

/* A part has at most this many; one instruction adds less than the slack. */
#define ACCESSES_MAX 600u
#define EXITS_MAX    200u
#define EXITS_SLACK  8u
#define ITEMS_MAX    4096u

struct address {
	Int slot; /* where it is stored as a root; 0: not yet */
	IRTemp root;
	Long displacement;
};

/* Of the superblock being instrumented: Valgrind translates one at a time. */
static IRSB *out;
static struct address *address; /* by temporary */
static UInt addresses, addresses_room;

/* Of its current part */
static IRExpr *start;
static UInt first_exit, exits, accesses, slots;
static UInt exit_items, exit_accesses; /* when the last exit was stored */
static UInt cursor_slots;
static IRConst *head;		/* as stored at the start */
static UInt head_roots;		/* as last stored */
static ULong pc, next_pc;	/* of the instruction, and behind it */
static const IRExpr *mergeable; /* address of a load just listed */
static IRExpr *block_guard;	/* of the block we are in, or NULL */
static Bool part_over;		/* behind a guarded block */
static Bool block_begins;
static ULong item[ITEMS_MAX];
static UInt n_items;

UInt instrument_widest;

static IRExpr *
constant(ULong value)
{
	return IRExpr_Const(IRConst_U64(value));
}

static IRExpr *
assign(IRType type, IRExpr *value)
{
	IRTemp temp = newIRTemp(out->tyenv, type);

	addStmtToIRSB(out, IRStmt_WrTmp(temp, value));
	return IRExpr_RdTmp(temp);
}

static IRExpr *
load(const void *from)
{
	return assign(Ity_I64,
		      IRExpr_Load(Iend_LE, Ity_I64, constant((Addr)from)));
}

static void
store(IRExpr *to, IRExpr *value)
{
	addStmtToIRSB(out, IRStmt_Store(Iend_LE, to, value));
}

static IRExpr *
unit_at(UInt unit, UInt byte)
{
	return assign(Ity_I64,
		      IRExpr_Binop(Iop_Add64, start,
				   constant(unit * RECORD_UNIT + byte)));
}

static void
item_add(ULong word)
{
	tl_assert(n_items < ITEMS_MAX);
	item[n_items++] = word;
}

static void
part_begin(void)
{
	IRExpr *full;
	IRDirty *flush;

	first_exit = producer_exits(EXITS_MAX + EXITS_SLACK);
	exits = accesses = slots = cursor_slots = n_items = 0;
	mergeable = NULL;
	block_guard = NULL;
	part_over = False;
	for (UInt i = 0; i < addresses; i++)
		address[i].slot = 0;
	item_add(first_exit);
	exit_items = n_items;
	exit_accesses = 0;

	start = load(&producer.at.cursor);
	/* In this form VEX compares with an immediate operand. */
	full = assign(Ity_I1, IRExpr_Binop(Iop_CmpLE64U, start,
					   constant(PRODUCER_LIMIT)));
	full = assign(Ity_I1, IRExpr_Unop(Iop_Not1, full));
	flush = unsafeIRDirty_0_N(0, "producer_full",
				  VG_(fnptr_to_fnentry)(&producer_full),
				  mkIRExprVec_0());
	flush->guard = full;
	flush->mFx = Ifx_Modify;
	flush->mAddr = constant((Addr)&producer.at.cursor);
	flush->mSize = sizeof(producer.at.cursor);
	addStmtToIRSB(out, IRStmt_Dirty(flush));
	start = load(&producer.at.cursor);
	/* Of the first exit, once it is known; names the superblock if it is
	 * left by a fault before: see valgrind-code.c */
	head = IRConst_U64(first_exit);
	store(start, IRExpr_Const(head));
}

/* A guarded block's exit, or, if the block is not run, the one before */
static IRExpr *
number_guarded(void)
{
	IRExpr *run = assign(Ity_I32, IRExpr_Unop(Iop_64to32, block_guard));

	return assign(Ity_I32, IRExpr_Binop(Iop_Add32, run,
					    IRExpr_Const(IRConst_U32(
						    first_exit + exits - 1))));
}

/* The head of a record, as it is to stand when this exit is taken. */
static void
head_store(void)
{
	UInt roots = RECORD_ROOTS(slots);

	if (exits == 1)
		head->Ico.U64 = (first_exit + 1) | (ULong)roots << 32;
	else if (block_guard)
		store(start, number_guarded());
	else
		store(start, IRExpr_Const(IRConst_U32(first_exit + exits)));
	if (exits > 1 && roots != head_roots)
		store(unit_at(0, sizeof(UInt)),
		      IRExpr_Const(IRConst_U16((UShort)roots)));
	head_roots = roots;
}

/* List an exit, unless it is the same as the one before. */
static Bool
exit_add(UInt flag)
{
	mergeable = NULL;
	if (producer_kinds & RING_FETCH ? n_items == exit_items
					: accesses == exit_accesses)
		return False;
	exits++;
	item_add(ITEM_EXIT | flag | (ULong)slots << 32);
	exit_items = n_items;
	exit_accesses = accesses;
	return True;
}

/* Before each place where control may leave; flag: ITEM_EXIT_AGAIN or 0 */
static void
part_exit(UInt flag)
{
	if (!exit_add(flag))
		return;
	head_store();
	if (cursor_slots == slots + 1)
		return;
	store(constant((Addr)&producer.at.cursor), unit_at(slots + 1, 0));
	cursor_slots = slots + 1;
}

/* Where one block of code ends and the next begins, in the record */
static void
part_exit_inside(void)
{
	if ((producer_kinds & RING_FETCH) && exit_add(ITEM_EXIT_INSIDE) &&
	    exits == 1)
		head_store();
}

static void
part_end(void)
{
	part_exit(0);
	if (slots > instrument_widest)
		instrument_widest = slots;
	producer_exits_used(exits + 1);
	producer_event(RECORD_CODE, n_items, item);
}

static void
part_split_if_full(void)
{
	if (!part_over &&
	    (block_guard || (accesses < ACCESSES_MAX && exits < EXITS_MAX &&
			     n_items < ITEMS_MAX / 2)))
		return;
	part_end();
	part_begin();
}

/* Follow a temporary through copies and constants added or subtracted. */
static void
address_follow(const IRStmt *s)
{
	const IRExpr *value = s->Ist.WrTmp.data;
	const IRExpr *base = value, *added = NULL;
	struct address *to = &address[s->Ist.WrTmp.tmp], *from;
	Long sum = 0;

	if (value->tag == Iex_Binop && (value->Iex.Binop.op == Iop_Add64 ||
					value->Iex.Binop.op == Iop_Sub64)) {
		base = value->Iex.Binop.arg1;
		added = value->Iex.Binop.arg2;
		if (value->Iex.Binop.op == Iop_Add64 &&
		    base->tag == Iex_Const) {
			added = base;
			base = value->Iex.Binop.arg2;
		}
		if (added->tag != Iex_Const)
			return;
		sum = (Long)added->Iex.Const.con->Ico.U64;
		if (value->Iex.Binop.op == Iop_Sub64)
			sum = -sum;
	}
	if (base->tag != Iex_RdTmp)
		return;
	from = &address[base->Iex.RdTmp.tmp];
	sum += from->displacement;
	if (sum != (Int)sum)
		return; /* the root of an address must fit a unit */
	to->root = from->root;
	to->displacement = sum;
}

/* The slot that holds the root of this address, stored if it is not yet. */
static UInt
root_slot(IRTemp temp)
{
	IRTemp root = address[temp].root;

	if (!address[root].slot) {
		address[root].slot = (Int)++slots;
		store(unit_at(slots, 0), IRExpr_RdTmp(root));
	}
	return (UInt)address[root].slot;
}

/* Two atoms that are the same value. */
static Bool
atom_same(const IRExpr *a, const IRExpr *b)
{
	return eqIRAtom((IRExpr *)(Addr)a, (IRExpr *)(Addr)b);
}

/* A store behind a load of the same instruction, address and size */
static Bool
access_merge(const IRExpr *at, UInt size)
{
	ULong *last = &item[n_items - 2];

	if (!mergeable || !atom_same(mergeable, at) || ITEM_SIZE(*last) != size)
		return False;
	*last |= MODIFY << 4;
	mergeable = NULL;
	return True;
}

/* guard NULL: made always.  In flat code, address and guard are atoms. */
static void
access_add(UInt kind, IRExpr *at, UInt size, IRExpr *guard)
{
	ULong word = ITEM_ACCESS | kind << 4 | size << 8;
	ULong displacement = 0;

	if (!(producer_kinds & RING_DATA))
		return;
	if (kind == STORE && !guard && access_merge(at, size))
		return;
	mergeable = kind == LOAD && !guard ? at : NULL;
	if (guard) {
		IRExpr *made =
			assign(Ity_I64, IRExpr_ITE(guard, at, constant(0)));

		store(unit_at(++slots, 0), made);
		word |= 1 << 6 | (ULong)slots << 32;
	} else if (at->tag == Iex_Const) {
		displacement = at->Iex.Const.con->Ico.U64;
	} else {
		word |= (ULong)root_slot(at->Iex.RdTmp.tmp) << 32;
		displacement = (ULong)address[at->Iex.RdTmp.tmp].displacement;
	}
	accesses++;
	item_add(word);
	item_add(displacement);
}

static void
access_dirty(const IRDirty *call)
{
	/* Lackey looks at no guard here, and so do we. */
	if (call->mFx == Ifx_Read || call->mFx == Ifx_Modify)
		access_add(LOAD, call->mAddr, (UInt)call->mSize, NULL);
	if (call->mFx == Ifx_Write || call->mFx == Ifx_Modify)
		access_add(STORE, call->mAddr, (UInt)call->mSize, NULL);
}

static void
access_cas(const IRCAS *cas, const IRTypeEnv *types)
{
	UInt size = (UInt)sizeofIRType(typeOfIRExpr(types, cas->dataLo));

	if (cas->dataHi)
		size *= 2;
	access_add(LOAD, cas->addr, size, NULL);
	access_add(STORE, cas->addr, size, NULL);
}

static void
access_load_guarded(const IRLoadG *guarded)
{
	IRType wide = Ity_INVALID, type = Ity_INVALID;

	typeOfIRLoadGOp(guarded->cvt, &wide, &type);
	access_add(LOAD, guarded->addr, (UInt)sizeofIRType(type),
		   guarded->guard);
}

static void
instruction_begin(const IRStmt *s)
{
	/* The consumer sees the others: they are not where they'd go on. */
	if (block_begins && s->Ist.IMark.addr == next_pc)
		part_exit_inside();
	block_begins = False;
	pc = s->Ist.IMark.addr;
	next_pc = pc + s->Ist.IMark.len;
	part_split_if_full();
	mergeable = NULL;
	item_add(ITEM_INSTRUCTION | (ULong)s->Ist.IMark.len << 8 | pc << 16);
}

static void
mark(const IRStmt *s)
{
	switch ((enum chase_mark)s->Ist.AbiHint.len) {
	case CHASE_BLOCK:
		block_begins = True;
		break;
	case CHASE_GUARDED:
		/* Such blocks have no data. */
		if (!(producer_kinds & RING_FETCH))
			break;
		part_exit_inside();
		block_guard = s->Ist.AbiHint.base;
		break;
	case CHASE_GUARDED_END:
		part_over = block_guard != NULL;
		break;
	default:
		break;
	}
}

/* What stands before the statement is added. */
static void
statement(const IRStmt *s, const IRTypeEnv *types)
{
	const IRExpr *value;

	switch (s->tag) {
	case Ist_IMark:
		instruction_begin(s);
		break;
	case Ist_WrTmp:
		address_follow(s);
		value = s->Ist.WrTmp.data;
		if (value->tag == Iex_Load)
			access_add(LOAD, value->Iex.Load.addr,
				   (UInt)sizeofIRType(value->Iex.Load.ty),
				   NULL);
		break;
	case Ist_Store:
		access_add(STORE, s->Ist.Store.addr,
			   (UInt)sizeofIRType(
				   typeOfIRExpr(types, s->Ist.Store.data)),
			   NULL);
		break;
	case Ist_StoreG:
		access_add(STORE, s->Ist.StoreG.details->addr,
			   (UInt)sizeofIRType(
				   typeOfIRExpr(types,
						s->Ist.StoreG.details->data)),
			   s->Ist.StoreG.details->guard);
		break;
	case Ist_LoadG:
		access_load_guarded(s->Ist.LoadG.details);
		break;
	case Ist_CAS:
		access_cas(s->Ist.CAS.details, types);
		break;
	case Ist_Dirty:
		access_dirty(s->Ist.Dirty.details);
		break;
	case Ist_Exit:
		part_exit(s->Ist.Exit.dst->Ico.U64 == pc ? ITEM_EXIT_AGAIN : 0);
		break;
	case Ist_AbiHint:
		mark(s);
		break;
	default:
		break;
	}
}

static Bool
statement_accesses(const IRStmt *s)
{
	switch (s->tag) {
	case Ist_WrTmp:
		return s->Ist.WrTmp.data->tag == Iex_Load;
	case Ist_Store:
	case Ist_StoreG:
	case Ist_LoadG:
	case Ist_CAS:
		return True;
	case Ist_Dirty:
		return s->Ist.Dirty.details->mFx != Ifx_None;
	default:
		return False;
	}
}

/* With data alone, a superblock that touches none is left as it is. */
static Bool
worth_recording(const IRSB *in)
{
	if (producer_kinds & RING_FETCH)
		return True;
	if (!producer_kinds)
		return False;
	for (Int i = 0; i < in->stmts_used; i++) {
		if (in->stmts[i] && statement_accesses(in->stmts[i]))
			return True;
	}
	return False;
}

static void
addresses_begin(UInt n)
{
	if (n > addresses_room) {
		VG_(free)(address);
		addresses_room = 2 * n;
		address = VG_(malloc)("pagescope.addresses",
				      addresses_room * sizeof(*address));
	}
	addresses = n;
	for (UInt i = 0; i < n; i++)
		address[i] = (struct address){ .root = i };
}

IRSB *
instrument(VgCallbackClosure *closure, IRSB *in, const VexGuestLayout *layout,
	   const VexGuestExtents *extents, const VexArchInfo *host,
	   IRType guest_word, IRType host_word)
{
	Int i = 0;

	if (!worth_recording(in))
		return in;
	out = deepCopyIRSBExceptStmts(in);
	/* Valgrind's own check for rewritten code, if any, comes first. */
	while (i < in->stmts_used && in->stmts[i]->tag != Ist_IMark)
		addStmtToIRSB(out, in->stmts[i++]);
	addresses_begin((UInt)in->tyenv->types_used);
	part_begin();
	block_begins = False;
	for (; i < in->stmts_used; i++) {
		if (!in->stmts[i] || in->stmts[i]->tag == Ist_NoOp)
			continue;
		statement(in->stmts[i], in->tyenv);
		if (in->stmts[i]->tag != Ist_AbiHint)
			addStmtToIRSB(out, in->stmts[i]);
	}
	part_end();
	return out;
}
