/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Masked moves and gathers of AVX2, lane by lane. */
#include "step-expect.inc"

	.data
	.balign	4096
buffer:	.fill	4096, 1, 1
	.balign	32
mask:	.long	-1, 0, 0x80000000, 0x7fffffff, 0, -1, 0, 0
mask64:	.quad	-1, 0, 1, -1
index:	.long	0, 5, -3, 100, 7, 9, 11, -1
index64: .quad	-2, 3, 4, 1000

	.text
	.globl	_start
_start:
	mov	$buffer + 2048, %ebx
	X LOAD, 32, mask
7:	vmovdqa	mask, %ymm1
	X LOAD, 32, mask64
7:	vmovdqa	mask64, %ymm2
	X LOAD, 32, index
7:	vmovdqa	index, %ymm3
	X LOAD, 32, index64
7:	vmovdqa	index64, %ymm4

	X LOAD, 4, buffer + 2048
	X LOAD, 4, buffer + 2048 + 8
	X LOAD, 4, buffer + 2048 + 20
7:	vmaskmovps (%rbx), %ymm1, %ymm0
	X STORE, 4, buffer + 2048
	X STORE, 4, buffer + 2048 + 8
7:	vpmaskmovd %xmm0, %xmm1, (%rbx)
	X LOAD, 8, buffer + 2048 + 8
	X LOAD, 8, buffer + 2048 + 32
7:	vmaskmovpd 8(%rbx), %ymm2, %ymm0
	X STORE, 8, buffer + 2048
	X STORE, 8, buffer + 2048 + 24
7:	vpmaskmovq %ymm0, %ymm2, (%rbx)

	/* 4-byte indices, 4-byte elements */
	vmovdqa	%ymm1, %ymm5
	X LOAD, 4, buffer + 2048
	X LOAD, 4, buffer + 2048 - 12
	X LOAD, 4, buffer + 2048 + 36
7:	vpgatherdd %ymm5, (%rbx, %ymm3, 4), %ymm0
	/* 4-byte indices, 8-byte elements: four of them */
	vmovdqa	%ymm2, %ymm5
	X LOAD, 8, buffer + 2048
	X LOAD, 8, buffer + 2048 + 800
7:	vgatherdpd %ymm5, (%rbx, %xmm3, 8), %ymm0
	/* 8-byte indices, 4-byte elements: four of them */
	vmovdqa	%xmm1, %xmm5
	X LOAD, 4, buffer + 2048 - 2
	X LOAD, 4, buffer + 2048 + 4
7:	vpgatherqd %xmm5, (%rbx, %ymm4), %xmm0
	vmovdqa	%ymm2, %ymm5
	X LOAD, 8, buffer + 2048 + 1 - 4
	X LOAD, 8, buffer + 2048 + 1 + 2000
7:	vgatherqpd %ymm5, 1(%rbx, %ymm4, 2), %ymm0

	X LOAD, 4, buffer + 2048
7:	vbroadcastss (%rbx), %ymm0
	X LOAD, 16, buffer + 2048
7:	vbroadcasti128 (%rbx), %ymm0
	X LOAD, 8, buffer + 2048
7:	vpmovzxbd (%rbx), %ymm0
	X STORE, 16, buffer + 2048
7:	vextracti128 $1, %ymm0, (%rbx)
	X LOAD, 32, buffer + 2048 + 3
7:	vpaddd	3(%rbx), %ymm0, %ymm0
	vzeroupper
	EXIT	7
