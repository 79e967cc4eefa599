/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AVX-512: lanes under a mask register, broadcasts, gathers and scatters. */
#include "step-expect.inc"

	.data
	.balign	4096
buffer:	.fill	4096, 1, 1
	.balign	64
index:	.long	0, 1, -1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
index64: .quad	0, 10, 20, 30, 40, 50, 60, 70

	.text
	.globl	_start
_start:
	mov	$buffer + 2048, %ebx
	mov	$0x8005, %eax
	kmovw	%eax, %k1
	xor	%eax, %eax
	kmovw	%eax, %k2
	X LOAD, 64, index
7:	vmovdqa64 index, %zmm20
	X LOAD, 64, index64
7:	vmovdqa64 index64, %zmm3

	X LOAD, 4, buffer + 2048
	X LOAD, 4, buffer + 2048 + 8
	X LOAD, 4, buffer + 2048 + 60
7:	vmovdqu32 (%rbx), %zmm0{%k1}
	X STORE, 4, buffer + 2048 + 64
	X STORE, 4, buffer + 2048 + 72
	X STORE, 4, buffer + 2048 + 124
7:	vmovdqu32 %zmm0, 64(%rbx){%k1}
	/* No lane: nothing */
7:	vmovdqu32 (%rbx), %zmm0{%k2}{z}
	X LOAD, 8, buffer + 2048
	X LOAD, 8, buffer + 2048 + 16
7:	vmovdqu64 (%rbx), %zmm0{%k1}{z}
	X LOAD, 4, buffer + 2048
	X LOAD, 4, buffer + 2048 + 8
7:	vpaddd	(%rbx), %ymm1, %ymm1{%k1}
	/* Broadcasts: one element, if any lane wants it */
	X LOAD, 4, buffer + 2048 + 4
7:	vpaddd	4(%rbx){1to16}, %zmm1, %zmm1
	X LOAD, 4, buffer + 2048 + 4
7:	vpaddd	4(%rbx){1to16}, %zmm1, %zmm1{%k1}
7:	vpaddd	4(%rbx){1to16}, %zmm1, %zmm1{%k2}
	X LOAD, 4, buffer + 2048
7:	vbroadcastss (%rbx), %zmm1{%k1}
	/* Scalars: bit 0 */
	X LOAD, 4, buffer + 2048
7:	vmovss	(%rbx), %xmm1{%k1}
7:	vmovss	(%rbx), %xmm1{%k2}
	/* Widening: lanes of the source; narrowing: of what is stored */
	X LOAD, 1, buffer + 2048
	X LOAD, 1, buffer + 2048 + 2
	X LOAD, 1, buffer + 2048 + 15
7:	vpmovzxbd (%rbx), %zmm1{%k1}
	X STORE, 1, buffer + 2048
	X STORE, 1, buffer + 2048 + 2
	X STORE, 1, buffer + 2048 + 15
7:	vpmovdb	%zmm1, (%rbx){%k1}
	/* Packed: side by side */
	X STORE, 4, buffer + 2048
	X STORE, 4, buffer + 2048 + 4
	X STORE, 4, buffer + 2048 + 8
7:	vpcompressd %zmm1, (%rbx){%k1}
	X LOAD, 4, buffer + 2048
	X LOAD, 4, buffer + 2048 + 4
	X LOAD, 4, buffer + 2048 + 8
7:	vpexpandd (%rbx), %zmm1{%k1}
	/* No fault suppression: all of it, whatever the mask */
	X LOAD, 64, buffer + 2048
7:	vpermd	(%rbx), %zmm1, %zmm1{%k1}
	/* Gathers, scatters; index registers above 15 */
	kmovw	%k1, %k3
	X LOAD, 4, buffer + 2048
	X LOAD, 4, buffer + 2048 - 4
	X LOAD, 4, buffer + 2048 + 60
7:	vpgatherdd (%rbx, %zmm20, 4), %zmm1{%k3}
	kmovw	%k1, %k3
	X STORE, 8, buffer + 2048
	X STORE, 8, buffer + 2048 + 20
7:	vscatterqpd %zmm1, (%rbx, %zmm3){%k3}
	kmovw	%k1, %k3
	X LOAD, 4, buffer + 2048 + 8
	X LOAD, 4, buffer + 2048 + 8 + 20
7:	vpgatherqd 8(%rbx, %zmm3), %ymm1{%k3}
	vzeroupper
	EXIT	7
