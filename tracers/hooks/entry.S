/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hooks that compilers call before an access, and the one path they share:
 *
 *	line = this thread's			NULL: channel.c looks why
 *	*line.cursor = code | address, return address
 *	line.cursor += 16			the commit
 *
 * A signal handler between may call hooks too and move the cursor.  So the
 * path is a restartable sequence (rseq(2), which the C library registers): the
 * kernel sends an interrupted one back to its start.  It costs one store.
 * Where none is registered (an older C library) hooks_rseq leads
 * to a dummy and records of handlers may be lost.
 */
#include "tracers/hooks/channel.h"

#define RSEQ_SIGNATURE 0x53053053

	.text

/* struct rseq_cs of the sequence name_start .. name_end; the abort handler, at
 * which the kernel expects the signature, stands 4 bytes behind the end's ret. */
.macro	sequence name
	.pushsection .data.rel.ro.hooks, "aw", @progbits
	.p2align 5
\name\()_sequence:
	.long	0, 0
	.quad	\name\()_start, \name\()_end - \name\()_start, \name\()_end + 5
	.popsection
.endm

/*
 * rdi: address, rcx: code << 56; hooks_access_at: rsi the site too, for C
 * (address, site, unused, code).  All other registers are the caller's to lose.
 */
	.globl	hooks_access, hooks_access_at
	.hidden	hooks_access, hooks_access_at
	.type	hooks_access, @function
	.type	hooks_access_at, @function
	.p2align 6
hooks_access:
	.cfi_startproc
	mov	(%rsp), %rsi
hooks_access_at:
	or	%rdi, %rcx
	mov	hooks_line@gottpoff(%rip), %rax
	mov	%fs:(%rax), %rdx
	test	%rdx, %rdx
	jz	.Lmore
.Lwith_line:
	mov	hooks_rseq(%rip), %r8
	lea	.Laccess_sequence(%rip), %r9
.Laccess_again:
	mov	%r9, %fs:(%r8)
.Laccess_start:
	mov	CHANNEL_LINE_CURSOR(%rdx), %rax
	cmp	CHANNEL_LINE_LIMIT(%rdx), %rax
	ja	.Lmore
	mov	%rcx, (%rax)
	mov	%rsi, 8(%rax)
	add	$16, %rax
	mov	%rax, CHANNEL_LINE_CURSOR(%rdx)
.Laccess_end:
	ret
	.long	RSEQ_SIGNATURE
	jmp	.Laccess_again
.Lmore:
	cmpl	$0, hooks_inactive(%rip)
	jne	.Laccess_end
	push	%rcx
	.cfi_adjust_cfa_offset 8
	push	%rsi
	.cfi_adjust_cfa_offset 8
	sub	$8, %rsp
	.cfi_adjust_cfa_offset 8
	call	hooks_room
	add	$8, %rsp
	.cfi_adjust_cfa_offset -8
	pop	%rsi
	.cfi_adjust_cfa_offset -8
	pop	%rcx
	.cfi_adjust_cfa_offset -8
	mov	%rax, %rdx
	test	%rdx, %rdx
	jnz	.Lwith_line
	ret
	.cfi_endproc
	sequence .Laccess
	.size	hooks_access, . - hooks_access

/* The same of a range: rsi is its length; hooks_range_at (address, site,
 * length, code). */
	.globl	hooks_range, hooks_range_at
	.hidden	hooks_range, hooks_range_at
	.type	hooks_range, @function
	.type	hooks_range_at, @function
	.p2align 6
hooks_range:
	.cfi_startproc
	mov	%rsi, %rdx
	mov	(%rsp), %rsi
hooks_range_at:
	or	%rdi, %rcx
	movabs	$HOOK_SIZE << 56, %r10
	or	%rdx, %r10
	mov	hooks_line@gottpoff(%rip), %rax
	mov	%fs:(%rax), %rdx
	test	%rdx, %rdx
	jz	.Lrange_more
.Lrange_with_line:
	mov	hooks_rseq(%rip), %r8
	lea	.Lrange_sequence(%rip), %r9
.Lrange_again:
	mov	%r9, %fs:(%r8)
.Lrange_start:
	mov	CHANNEL_LINE_CURSOR(%rdx), %rax
	cmp	CHANNEL_LINE_LIMIT(%rdx), %rax
	ja	.Lrange_more
	mov	%rcx, (%rax)
	mov	%rsi, 8(%rax)
	mov	%r10, 16(%rax)
	movq	$0, 24(%rax)
	add	$32, %rax
	mov	%rax, CHANNEL_LINE_CURSOR(%rdx)
.Lrange_end:
	ret
	.long	RSEQ_SIGNATURE
	jmp	.Lrange_again
.Lrange_more:
	cmpl	$0, hooks_inactive(%rip)
	jne	.Lrange_end
	push	%rcx
	.cfi_adjust_cfa_offset 8
	push	%rsi
	.cfi_adjust_cfa_offset 8
	push	%r10
	.cfi_adjust_cfa_offset 8
	call	hooks_room
	pop	%r10
	.cfi_adjust_cfa_offset -8
	pop	%rsi
	.cfi_adjust_cfa_offset -8
	pop	%rcx
	.cfi_adjust_cfa_offset -8
	mov	%rax, %rdx
	test	%rdx, %rdx
	jnz	.Lrange_with_line
	ret
	.cfi_endproc
	sequence .Lrange
	.size	hooks_range, . - hooks_range

/* A whole path for each hook: a jump to a common one costs a fifth. */
.macro	hook name, code
	.globl	\name
	.type	\name, @function
	.p2align 5
\name:
	.cfi_startproc
	movabs	$(\code) << 56, %rcx
	mov	hooks_line@gottpoff(%rip), %rax
	mov	%fs:(%rax), %rdx
	test	%rdx, %rdx
	jz	hooks_access
	mov	(%rsp), %rsi
	or	%rdi, %rcx
	mov	hooks_rseq(%rip), %r8
	lea	.L\name\()_sequence(%rip), %r9
.L\name\()_again:
	mov	%r9, %fs:(%r8)
.L\name\()_start:
	mov	CHANNEL_LINE_CURSOR(%rdx), %rax
	cmp	CHANNEL_LINE_LIMIT(%rdx), %rax
	ja	hooks_access
	mov	%rcx, (%rax)
	mov	%rsi, 8(%rax)
	add	$16, %rax
	mov	%rax, CHANNEL_LINE_CURSOR(%rdx)
.L\name\()_end:
	ret
	.long	RSEQ_SIGNATURE
	jmp	.L\name\()_again
	.cfi_endproc
	.size	\name, . - \name
	sequence .L\name
.endm

.macro	range_hook name, code
	.globl	\name
	.type	\name, @function
	.p2align 4
\name:
	.cfi_startproc
	movabs	$(\code) << 56, %rcx
	jmp	hooks_range
	.cfi_endproc
	.size	\name, . - \name
.endm

.macro	sizes suffix, log2
	hook	__tsan_read\suffix, HOOK_READ + \log2
	hook	__tsan_write\suffix, HOOK_WRITE + \log2
	hook	__tsan_read_write\suffix, HOOK_MODIFY + \log2
	hook	__tsan_volatile_read\suffix, HOOK_READ + \log2
	hook	__tsan_volatile_write\suffix, HOOK_WRITE + \log2
	hook	__tsan_unaligned_read\suffix, HOOK_READ + \log2
	hook	__tsan_unaligned_write\suffix, HOOK_WRITE + \log2
	hook	__tsan_unaligned_read_write\suffix, HOOK_MODIFY + \log2
	hook	__tsan_unaligned_volatile_read\suffix, HOOK_READ + \log2
	hook	__tsan_unaligned_volatile_write\suffix, HOOK_WRITE + \log2
	hook	__sanitizer_cov_load\suffix, HOOK_READ + \log2
	hook	__sanitizer_cov_store\suffix, HOOK_WRITE + \log2
.endm

	sizes	1, 0
	sizes	2, 1
	sizes	4, 2
	sizes	8, 3
	sizes	16, 4
	hook	__tsan_vptr_read, HOOK_READ + 3
	hook	__tsan_vptr_update, HOOK_WRITE + 3
	range_hook	__tsan_read_range, HOOK_READ_RANGE
	range_hook	__tsan_write_range, HOOK_WRITE_RANGE

/* Entries carry no address and are left out unless fetches are wanted. */
.macro	entry name
	.globl	\name
	.type	\name, @function
	.p2align 4
\name:
	.cfi_startproc
	cmpl	$0, hooks_fetch(%rip)
	je	1f
	xor	%edi, %edi
	movabs	$HOOK_ENTRY << 56, %rcx
	jmp	hooks_access
1:	ret
	.cfi_endproc
	.size	\name, . - \name
.endm
	entry	__tsan_func_entry
	entry	__sanitizer_cov_trace_pc_guard
	entry	__sanitizer_cov_trace_pc

.macro	nothing name
	.globl	\name
	.type	\name, @function
\name:
	ret
	.size	\name, . - \name
.endm
	nothing	__tsan_func_exit
	nothing	__tsan_ignore_thread_begin
	nothing	__tsan_ignore_thread_end
	nothing	__sanitizer_cov_trace_pc_guard_init

	.section .note.GNU-stack, "", @progbits
