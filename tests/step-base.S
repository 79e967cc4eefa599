/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every kind of operand that needs no more than SSE2, one by one. */
#include "step-expect.inc"

	.data
	.balign	4096
	.fill	4096, 1, 0
buffer:	.fill	4096, 1, 1
other:	.fill	4096, 1, 2
	.balign	16
mask:	.byte	0x80, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff
pointer: .quad	function
save:	.quad	0
	.balign	64
image:	.fill	512, 1, 0
	.bss
	.balign	16
	.fill	4096, 1, 0
stack:

	.text
	.globl	_start
_start:
	mov	$stack, %rsp
	mov	$buffer, %ebx
	mov	$other, %edi
	mov	$2, %ecx

	/* Plain, of each size, and modifies */
	X LOAD, 8, buffer
7:	mov	buffer, %rax
	X LOAD, 1, buffer + 3
7:	movzbl	3(%rbx), %eax
	X LOAD, 2, buffer + 16 + 2 * 4
7:	movzwl	16(%rbx, %rcx, 4), %eax
	X STORE, 4, buffer - 8
7:	movl	$7, -8(%rbx)
	X LOAD, 8, buffer + 64
7:	mov	buffer + 64(%rip), %rdx
	X MODIFY, 4, buffer + 8
7:	addl	$1, 8(%rbx)
	X MODIFY, 1, buffer + 9
7:	notb	9(%rbx)
	X LOAD, 4, buffer + 8
7:	cmpl	$5, 8(%rbx)
	X LOAD, 8, buffer + 24
7:	cmove	24(%rbx), %rdx
	X STORE, 1, buffer + 40
7:	sete	40(%rbx)

	/* Named, not touched */
	lea	123(%rbx), %rax
	nopl	0(%rax, %rax)
	prefetcht0 (%rbx)
	endbr64

	/* Atomic */
	X MODIFY, 8, buffer + 48
7:	xchg	%rax, 48(%rbx)
	X MODIFY, 4, buffer + 56
7:	lock incl 56(%rbx)
	X MODIFY, 4, buffer + 60
7:	lock xaddl %eax, 60(%rbx)
	X MODIFY, 8, buffer + 64
7:	lock cmpxchgq %rdx, 64(%rbx)
	X MODIFY, 8, buffer + 72
7:	cmpxchg8b 72(%rbx)
	X MODIFY, 16, buffer + 80
7:	lock cmpxchg16b 80(%rbx)
	mov	$buffer, %ebx
	mov	$2, %ecx

	/* 32-bit addresses: they wrap */
	movabs	$0xffffffff00000000 + buffer, %rsi
	X LOAD, 4, buffer + 4
7:	movl	4(%esi), %eax

	/* Stack */
	X STORE, 8, stack - 8
7:	push	%rax
	X STORE, 8, stack - 16
7:	push	$1
	X LOAD, 8, buffer + 16
	X STORE, 8, stack - 24
7:	push	16(%rbx)
	X STORE, 2, stack - 26
7:	pushw	$2
	X LOAD, 2, stack - 26
7:	popw	%ax
	X LOAD, 8, stack - 24
	X STORE, 8, buffer + 24
7:	pop	24(%rbx)
	/* pop to (%rsp): its address is that after the pop */
	X LOAD, 8, stack - 16
	X STORE, 8, stack - 8
7:	pop	(%rsp)
	X LOAD, 8, stack - 8
	X STORE, 8, stack - 16
7:	push	(%rsp)
	X LOAD, 8, stack - 16
7:	pop	%rax
	X LOAD, 8, stack - 8
7:	pop	%rax
	X STORE, 8, stack - 8
7:	pushfq
	X LOAD, 8, stack - 8
7:	popfq

	/* Calls; a return that drops arguments */
	X STORE, 8, stack - 8
7:	call	function
	X LOAD, 8, pointer
	X STORE, 8, stack - 8
7:	call	*pointer
	X LOAD, 8, pointer2
7:	jmp	*pointer2
after:
	X STORE, 8, stack - 8
7:	push	$1
	X STORE, 8, stack - 16
7:	call	drops

	/* Frames */
	mov	$stack - 512, %rbp
	X STORE, 8, stack - 8
7:	enter	$64, $0
	X LOAD, 8, stack - 8
7:	leave
	mov	$stack - 512, %rbp
	X STORE, 8, stack - 8
	X LOAD, 8, stack - 520
	X STORE, 8, stack - 16
	X LOAD, 8, stack - 528
	X STORE, 8, stack - 24
	X STORE, 8, stack - 32
7:	enter	$32, $3
	mov	$stack, %rsp

	/* Strings, upwards: each iteration; none at all; one */
	cld
	mov	$buffer, %esi
	mov	$other, %edi
	mov	$3, %ecx
	X LOAD, 8, buffer
	X STORE, 8, other
	X LOAD, 8, buffer + 8
	X STORE, 8, other + 8
	X LOAD, 8, buffer + 16
	X STORE, 8, other + 16
7:	rep movsq
	rep movsb
	rep stosb
	X LOAD, 1, buffer + 24
	X STORE, 1, other + 24
7:	movsb
	mov	$2, %ecx
	X STORE, 4, other + 25
	X STORE, 4, other + 29
7:	rep stosl
	X LOAD, 2, buffer + 25
7:	lodsw
	/* Compares end at the first difference */
	mov	$buffer + 512, %esi
	mov	$other + 512, %edi
	mov	$9, %ecx
	X LOAD, 1, buffer + 512
	X LOAD, 1, other + 512
7:	repe cmpsb
	mov	$buffer + 600, %edi
	mov	$1, %eax
	mov	$5, %ecx
	X LOAD, 1, buffer + 600
7:	repne scasb

	/* Downwards */
	std
	mov	$buffer + 256, %esi
	mov	$other + 256, %edi
	mov	$2, %ecx
	X LOAD, 4, buffer + 256
	X STORE, 4, other + 256
	X LOAD, 4, buffer + 252
	X STORE, 4, other + 252
7:	rep movsl
	mov	$2, %ecx
	X STORE, 1, other + 248
	X STORE, 1, other + 247
7:	rep stosb
	cld

	/* Bit strings reach beyond their operand */
	mov	$buffer + 1024, %ebx
	mov	$200, %eax
	X LOAD, 8, buffer + 1024 + 24
7:	bt	%rax, (%rbx)
	mov	$-1, %rax
	X MODIFY, 8, buffer + 1024 - 8
7:	bts	%rax, (%rbx)
	mov	$-33, %eax
	X MODIFY, 4, buffer + 1024 - 8
7:	btr	%eax, (%rbx)
	mov	$17, %eax
	X MODIFY, 2, buffer + 1024 + 2
7:	btc	%ax, (%rbx)
	X LOAD, 4, buffer + 1024
7:	btl	$35, (%rbx)

	/* xlat adds al alone */
	mov	$0xabcdef05, %eax
	X LOAD, 1, buffer + 1024 + 5
7:	xlat

	/* Segments: FS and GS at buffers of ours */
	mov	$158, %eax
	mov	$0x1002, %edi
	mov	$other, %esi
	syscall
	mov	$158, %eax
	mov	$0x1001, %edi
	mov	$buffer, %esi
	syscall
	X LOAD, 8, other + 40
7:	mov	%fs:40, %rax
	mov	$8, %ecx
	X STORE, 4, buffer + 8 * 8 + 4
7:	movl	%eax, %gs:4(, %rcx, 8)
	mov	$16, %esi
	X LOAD, 1, other + 16
7:	lodsb	%fs:(%rsi), %al

	/* SSE, x87, state */
	mov	$buffer, %ebx
	X LOAD, 16, buffer + 32
7:	movaps	32(%rbx), %xmm0
	X LOAD, 4, buffer + 5
7:	movss	5(%rbx), %xmm1
	X STORE, 8, buffer + 6
7:	movhps	%xmm1, 6(%rbx)
	X LOAD, 16, mask
7:	movdqa	mask, %xmm2
	mov	$other, %edi
	X STORE, 1, other
	X STORE, 1, other + 3
	X STORE, 1, other + 15
7:	maskmovdqu %xmm2, %xmm0
	X STORE, 10, buffer + 160
	fld1
7:	fstpt	160(%rbx)
	X LOAD, 10, buffer + 160
7:	fldt	160(%rbx)
	X STORE, 28, buffer + 192
7:	fnstenv	192(%rbx)
	X STORE, 4, buffer + 224
7:	stmxcsr	224(%rbx)
	X STORE, 512, image
7:	fxsave	image
	X LOAD, 512, image
7:	fxrstor	image

	/* A stack above 4 GiB: the size of addresses is none of its matter */
	mov	$9, %eax
	movabs	$0x700000000000, %rdi
	mov	$4096, %esi
	mov	$3, %edx
	mov	$0x32, %r10d
	mov	$-1, %r8
	xor	%r9d, %r9d
	syscall
	movabs	$0x700000001000, %rsp
	X STORE, 8, 0x700000000ff8
7:	addr32 push %rax
	X STORE, 8, 0x700000000ff0
7:	addr32 call high
	X LOAD, 8, 0x700000000ff8
7:	addr32 pop %rax
	mov	$stack, %esp

	/* The kernel's accesses are events, not ours */
	mov	$39, %eax
	syscall

	/* Code blocks */
	jmp	blocks
blocks:
	BLOCK	3
	xor	%eax, %eax
	inc	%eax
	jz	blocks
9:
	BLOCK	2
	nop
	jmp	next
9:
next:
	mov	$2, %ecx
loop:
	dec	%ecx
	jnz	loop
	EXIT	7

	X LOAD, 8, stack - 8
	X LOAD, 8, stack - 8
function:
7:	ret
	X LOAD, 8, 0x700000000ff0
high:
7:	addr32 ret
	X LOAD, 8, stack - 16
drops:
7:	ret	$8

	.data
pointer2: .quad	after
