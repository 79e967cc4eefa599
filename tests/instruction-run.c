// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * In by a jump with all registers loaded; out by a signal always, whose
 * handler keeps the registers and returns to run_left.
 */
#define _GNU_SOURCE
#include "instruction-run.h"

#include <asm/prctl.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

void run_enter(const struct run_registers *registers);
extern const char run_left[];
extern uint64_t run_stack, run_target;
extern uint8_t run_level; /* 0: SSE, 1: AVX, 2: AVX-512 */
extern struct run_vectors run_state;
uint64_t run_stack, run_target;
uint8_t run_level;
struct run_vectors run_state __attribute__((aligned(64)));

static struct run_result *wanted;
static uint64_t fs_base;

__asm__(".text\n"
	".globl run_enter, run_left\n"
	"run_enter:\n"
	"push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n"
	"push %r15\n sub $8, %rsp\n"
	"mov %rsp, run_stack(%rip)\n"
	"lea run_state(%rip), %rsi\n"
	"lea 2048+64(%rsi), %rdx\n"
	".irp n, 0,1,2,3,4,5,6,7\n"
	"movq \\n*8(%rdx), %mm\\n\n"
	".endr\n"
	"cmpb $1, run_level(%rip)\n"
	"jb 1f\n je 2f\n"
	".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,"
	"24,25,26,27,28,29,30,31\n"
	"vmovdqu64 \\n*64(%rsi), %zmm\\n\n"
	".endr\n"
	".irp n, 0,1,2,3,4,5,6,7\n"
	"kmovq 2048+\\n*8(%rsi), %k\\n\n"
	".endr\n"
	"jmp 3f\n"
	"2:\n"
	".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
	"vmovdqu \\n*64(%rsi), %ymm\\n\n"
	".endr\n"
	"jmp 3f\n"
	"1:\n"
	".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
	"movdqu \\n*64(%rsi), %xmm\\n\n"
	".endr\n"
	"3:\n"
	"mov 136(%rdi), %rax\n mov %rax, run_target(%rip)\n"
	"pushq 128(%rdi)\n popfq\n"
	"mov 0(%rdi), %rax\n mov 8(%rdi), %rcx\n mov 16(%rdi), %rdx\n"
	"mov 24(%rdi), %rbx\n mov 32(%rdi), %rsp\n mov 40(%rdi), %rbp\n"
	"mov 48(%rdi), %rsi\n mov 64(%rdi), %r8\n mov 72(%rdi), %r9\n"
	"mov 80(%rdi), %r10\n mov 88(%rdi), %r11\n mov 96(%rdi), %r12\n"
	"mov 104(%rdi), %r13\n mov 112(%rdi), %r14\n mov 120(%rdi), %r15\n"
	"mov 56(%rdi), %rdi\n"
	"jmp *run_target(%rip)\n"
	"run_left:\n"
	"cld\n fninit\n"
	"sub $8, %rsp\n movl $0x1f80, (%rsp)\n ldmxcsr (%rsp)\n add $8, %rsp\n"
	"add $8, %rsp\n pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n"
	"pop %rbx\n"
	"ret\n");

static void
caught(int number, siginfo_t *info, void *context)
{
	static const int order[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX,
				       REG_RSP, REG_RBP, REG_RSI, REG_RDI,
				       REG_R8,	REG_R9,	 REG_R10, REG_R11,
				       REG_R12, REG_R13, REG_R14, REG_R15 };
	greg_t *general = ((ucontext_t *)context)->uc_mcontext.gregs;
	long int ignored;

	/* It may have loaded a null selector */
	__asm__ volatile("syscall"
			 : "=a"(ignored)
			 : "a"(SYS_arch_prctl), "D"(ARCH_SET_FS), "S"(fs_base)
			 : "rcx", "r11", "memory");
	wanted->signal = number;
	wanted->code = info->si_code;
	wanted->address = (uint64_t)(uintptr_t)info->si_addr;
	wanted->rip = (uint64_t)general[REG_RIP];
	wanted->error = (uint64_t)general[REG_ERR];
	wanted->flags = (uint64_t)general[REG_EFL];
	for (int i = 0; i < 16; i++)
		wanted->general[i] = (uint64_t)general[order[i]];
	general[REG_RIP] = (greg_t)(uintptr_t)run_left;
	general[REG_RSP] = (greg_t)run_stack;
	general[REG_EFL] = 0x202;
	general[REG_CSGSFS] = (greg_t)UINT64_C(0x002b000000000033);
}

int
run_prepare(void)
{
	static const int number[] = { SIGTRAP, SIGSEGV, SIGBUS, SIGILL,
				      SIGFPE };
	struct sigaction action = { .sa_sigaction = caught,
				    .sa_flags = SA_SIGINFO | SA_ONSTACK };
	static uint8_t signal_stack[1 << 16];
	stack_t stack = { .ss_sp = signal_stack,
			  .ss_size = sizeof(signal_stack) };

	if (sigaltstack(&stack, NULL) ||
	    syscall(SYS_arch_prctl, ARCH_GET_FS, &fs_base))
		return -errno;
	sigfillset(&action.sa_mask);
	for (size_t i = 0; i < ARRAY_SIZE(number); i++)
		if (sigaction(number[i], &action, NULL))
			return -errno;
	run_level = __builtin_cpu_supports("avx512bw") ? 2
		    : __builtin_cpu_supports("avx")    ? 1
						       : 0;
	return 0;
}

void
run_vectors(const struct run_vectors *vectors)
{
	run_state = *vectors;
}

void
run_instruction(const struct run_registers *registers,
		struct run_result *result)
{
	wanted = result;
	run_enter(registers);
	__asm__ volatile("" ::: "memory");
}

uint64_t
run_fs_base(void)
{
	return fs_base;
}
