/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An indirect branch goes, by the low bits of its target, through the table at
 * GS_TABLE to a block's checked entry, which comes here when it is not the
 * right one.  rax is the target; the program's rax and rcx are in the area.
 * Then the larger table knows the block (and the small one learns it), or the
 * recorder is asked.
 *
 * The flags must come back as they were: lahf keeps all but OF, which
 * `add $0x7f` sets again when seto had found it set.
 */
#include "tracers/cache-layout.h"

	.section .rodata
	.balign 16
	.globl cache_stub, cache_stub_end, cache_stub_call
	.globl cache_stub_miss, cache_stub_miss16, cache_stub_link
	.globl cache_stub_give_up, cache_stub_trap
	.globl cache_stub_return, cache_stub_return16

.macro miss small
	mov	%rdx, %gs:GS_RDX
	mov	%rax, %rcx
	lahf
	seto	%al
	mov	%rax, %gs:GS_FLAGS
	imul	$LEVEL2_FACTOR, %rcx, %rax
	shr	$LEVEL2_SHIFT, %rax
	and	%gs:GS_LEVEL2_MASK, %rax
	shl	$5, %rax
	add	%gs:GS_LEVEL2, %rax
1:	mov	(%rax), %rdx
	cmp	%rcx, %rdx
	je	2f
	test	%rdx, %rdx
	je	3f
	add	$32, %rax
	jmp	1b
2:	mov	16(%rax), %rdx
	mov	%rdx, %gs:GS_TARGET
	mov	8(%rax), %rdx
.if \small
	movzwl	%cx, %eax
.else
	pext	%gs:GS_MASK, %rcx, %rax
.endif
	mov	%rdx, %gs:GS_TABLE(, %rax, 8)
	mov	%gs:GS_FLAGS, %rax
	add	$0x7f, %al
	sahf
	mov	%gs:GS_RDX, %rdx
	mov	%gs:GS_RAX, %rax
	mov	%gs:GS_RCX, %rcx
	jmp	*%gs:GS_TARGET
3:	mov	%gs:GS_FLAGS, %rax
	add	$0x7f, %al
	sahf
	mov	%gs:GS_RDX, %rdx
	mov	%rcx, %gs:GS_WANTED
	movl	$0, %gs:GS_LINK
	jmp	cache_stub_wait
.endm

cache_stub:
cache_stub_call:
	syscall
	int3
	.balign 16, 0xcc
cache_stub_miss:
	miss	0
	.balign 16, 0xcc
cache_stub_miss16:
	miss	1

/* A return that landed elsewhere: as any other indirect branch.  What it lands
 * by stood where the program's own return address is to be. */
	.balign 16, 0xcc
cache_stub_return:
	mov	%rax, -8(%rsp)
	pext	%gs:GS_MASK, %rax, %rcx
	jmp	*%gs:GS_TABLE(, %rcx, 8)
	.balign 16, 0xcc
cache_stub_return16:
	mov	%rax, -8(%rsp)
	movzwl	%ax, %ecx
	jmp	*%gs:GS_TABLE(, %rcx, 8)

/*
 * The recorder is asked where to go on, for GS_LINK or GS_WANTED.  While it is
 * awake it looks at GS_ASKED, and an answer takes less than a microsecond
 * longer than what there is to translate: a stop takes ten, and a hundred where
 * it wakes another processor.  Else, or when no answer comes, int3 asks it.
 * No flag is changed.
 */
	.balign 16, 0xcc
cache_stub_link:
	mov	%rcx, %gs:GS_RCX
	mov	%rax, %gs:GS_RAX
cache_stub_wait:
	movq	$0, %gs:GS_ANSWER
	mov	%gs:GS_TURNS, %rax
	mov	%rax, %rcx
	jrcxz	cache_stub_give_up
	movl	$ASKED, %gs:GS_ASKED
1:	mov	%gs:GS_ANSWER, %rcx
	jrcxz	2f
	mov	%rcx, %gs:GS_TARGET
	mov	%gs:GS_RAX, %rax
	mov	%gs:GS_RCX, %rcx
	jmp	*%gs:GS_TARGET
2:	pause
	lea	-1(%rax), %rax
	mov	%rax, %rcx
	jrcxz	3f
	jmp	1b
3:	movl	$ASKED_VAINLY, %gs:GS_ASKED
cache_stub_give_up:
	mov	%gs:GS_RAX, %rax
	mov	%gs:GS_RCX, %rcx
cache_stub_trap:
	int3

/*
 * A system call.  rcx and the program's r11 are dead: the call itself replaces
 * them.  No flag is changed.  Calls of interest go to the recorder by int3
 * (at the label `ask`); for the others a record is made.  Strings that the
 * call names are measured first; if that faults the recorder goes on at
 * `gate`, for the kernel will not read it either.
 */
	.globl cache_stub_enter, cache_stub_saved, cache_stub_ask
	.globl cache_stub_string, cache_stub_gate, cache_stub_made
	.globl cache_stub_back
	.balign 16, 0xcc
cache_stub_enter:
	mov	%rax, 8(%r11)
	movq	$0, 8 * CALL_WORDS(%r11)
	mov	%r11, %gs:GS_CURSOR
cache_stub_saved:
	mov	%eax, %ecx
	bswap	%ecx
	movzwl	%cx, %ecx
	jrcxz	1f
	jmp	cache_stub_ask
1:	movzbl	%ah, %ecx
	movzbl	%gs:GS_CALLS_HIGH(%rcx), %ecx
	jrcxz	2f
	jmp	cache_stub_ask
2:	movzwl	%ax, %ecx
	movzbl	%gs:GS_CALLS(%rcx), %ecx
	jrcxz	cache_stub_gate
	lea	-1(%rcx), %rcx
	jrcxz	3f
	lea	-1(%rcx), %rcx
	jrcxz	4f
	lea	-1(%rcx), %rcx
	jrcxz	6f
cache_stub_ask:
	int3
3:	mov	%rdi, %r11
	jmp	cache_stub_string
4:	mov	%rsi, %r11
cache_stub_string:
	movzbl	(%r11), %ecx
	jrcxz	5f
	lea	1(%r11), %r11
	jmp	cache_stub_string
5:	mov	%gs:GS_CURSOR, %rcx
	lea	1(%r11), %r11
	mov	%r11, 8 * CALL_WORDS(%rcx)
	jmp	cache_stub_gate
6:	mov	%r9, %rcx
	jrcxz	cache_stub_gate
	jmp	cache_stub_ask
cache_stub_gate:
	syscall
cache_stub_made:
	mov	%r11, %gs:GS_STOLEN
	mov	%gs:GS_CURSOR, %r11
cache_stub_back:
	mov	%rax, 16(%r11)
	mov	%rdi, 24(%r11)
	mov	%rsi, 32(%r11)
	mov	%rdx, 40(%r11)
	mov	%r10, 48(%r11)
	mov	%r8, 56(%r11)
	mov	%r9, 64(%r11)
	movl	$(CALL_WORDS << 22 | CALL_OUTCOME), (%r11)
	lea	8 + 8 * CALL_WORDS(%r11), %r11
	mov	%gs:GS_NEXT, %rcx
	jmp	*%gs:GS_RESUME
	.balign 16, 0xcc
cache_stub_end:

	.section .note.GNU-stack, "", @progbits
