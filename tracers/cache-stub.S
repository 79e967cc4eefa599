/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An indirect branch goes, by the low bits of its target, through the table at
 * GS_TABLE to a block's checked entry, which comes here when it is not the
 * right one.  rax is the target; the program's rax and rcx are in the area.
 * Then the larger table knows the block (and the small one learns it), or the
 * recorder is asked by int3, with the target in rcx.
 *
 * The flags must come back as they were: lahf keeps all but OF, which
 * `add $0x7f` sets again when seto had found it set.
 */
#include "tracers/cache-layout.h"

	.section .rodata
	.balign 16
	.globl cache_stub, cache_stub_end, cache_stub_call
	.globl cache_stub_miss, cache_stub_trap
	.globl cache_stub_miss16, cache_stub_trap16

.macro miss small
	mov	%rdx, %gs:GS_RDX
	mov	%rax, %rcx
	lahf
	seto	%al
	mov	%rax, %gs:GS_FLAGS
	imul	$LEVEL2_FACTOR, %rcx, %rax
	shr	$LEVEL2_SHIFT, %rax
	and	$((1 << LEVEL2_BITS) - 1), %eax
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
.endm

cache_stub:
cache_stub_call:
	syscall
	int3
	.balign 16, 0xcc
cache_stub_miss:
	miss	0
cache_stub_trap:
	int3
	.balign 16, 0xcc
cache_stub_miss16:
	miss	1
cache_stub_trap16:
	int3
	.balign 16, 0xcc
cache_stub_end:

	.section .note.GNU-stack, "", @progbits
