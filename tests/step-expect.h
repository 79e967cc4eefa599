/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For hand-written programs whose accesses are known: each instruction that
 * makes some is labelled 7: and preceded by what is expected of it, in order.
 *
 *	X LOAD, 8, buffer
 *	7: mov buffer, %rax
 *
 * The expectations stay in the file's section .expect: pc, address, size,
 * kind (enum site_kind), 24 bytes each; they are not loaded.
 */
#define LOAD   0
#define STORE  1
#define MODIFY 2
#define FETCH  3 /* size: bytes | instructions << 16 */

	.macro X kind, size, address:vararg
	.pushsection .expect, "", @progbits
	.quad	7f, \address
	.long	\size, \kind
	.popsection
	.endm

	/* A code block from here to label 9: with so many instructions */
	.macro BLOCK instructions
	.pushsection .expect, "", @progbits
	.quad	8f, 8f
	.long	(9f - 8f) | \instructions << 16, FETCH
	.popsection
8:
	.endm

	.macro EXIT status
	mov	$60, %eax
	mov	$\status, %edi
	syscall
	.endm
