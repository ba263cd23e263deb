// The runtime of a root VM, as small as it can be: a stack, and into the application
// (spec/hypervisor.md sections 8.2, 8.3). x0 is the environment block, and stays so. The
// application's ELF header lies at its first byte.

#define ENV_APP_IPA	16
#define ENV_HEAP_IPA	24
#define STACK_SIZE	0x4000
#define ELF_ENTRY	24

	.section .text
	.globl	_start
_start:
	ldr	x9, [x0, #ENV_HEAP_IPA]
	add	x9, x9, #STACK_SIZE
	mov	sp, x9
	ldr	x9, [x0, #ENV_APP_IPA]
	ldr	x10, [x9, #ELF_ENTRY]
	add	x9, x9, x10
	br	x9
