/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program without a libc whose every access is known (test-valgrind.c has
 * the sum): 1000 rounds of the accesses in the comments.
 */
	.globl	_start
	.text
_start:
	movl	$1000, %ebx
	leaq	area(%rip), %rbp
again:
	movq	(%rbp), %rax		/* load 8 */
	movb	%al, 8(%rbp)		/* store 1 */
	addl	$1, 16(%rbp)		/* modify 4 */
	lock incq 24(%rbp)		/* modify 8 */
	xchgq	%rax, 32(%rbp)		/* modify 8 */
	movups	48(%rbp), %xmm0		/* load 16 */
	movups	%xmm0, 65(%rbp)		/* store 16, unaligned */
	pushq	%rax			/* store 8 */
	popq	%rcx			/* load 8 */
	call	leaf			/* store 8, and ret: load 8 */
	leaq	128(%rbp), %rsi
	leaq	256(%rbp), %rdi
	movl	$5, %ecx
	rep movsb			/* 5 loads 1, 5 stores 1 */
	movl	%ebx, counter(%rip)	/* store 4 */
	cmpl	$0, counter(%rip)	/* load 4 */
	je	end			/* not taken */
	subl	$1, %ebx
	jnz	again
	movl	$1000, %ebx
both:					/* odd && not 1 modulo 4 */
	testl	$1, %ebx
	jz	next
	testl	$2, %ebx		/* 500 times */
	jz	next
	incl	%edx			/* 250 times */
next:
	call	behind			/* store 8 */
behind:
	popq	%rcx			/* load 8 */
	subl	$1, %ebx
	jnz	both
	movl	$1001, %edx
loop:					/* until it is 4 n, or below 500 */
	subl	$1, %edx
	testl	$3, %edx
	jz	over
	cmpl	$500, %edx
	ja	loop
over:
	cmpl	$400, %edx
	ja	loop
end:
	movl	$60, %eax
	xorl	%edi, %edi
	syscall
leaf:
	ret

	.bss
	.balign	4096
area:
	.zero	4096
counter:
	.zero	8
	.section .note.GNU-stack,"",@progbits
