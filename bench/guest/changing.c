// Kernels whose code changes as it runs: what a JIT compiler in a guest does, what a kernel that
// patches itself does, and data that stands in the page of the code that writes to it.
#include "kernels.h"

// Makes `size` bytes of written code be what is executed.
static void publish(const void *code, size_t size) {
    uint64_t types;
    __asm__("mrs %0, ctr_el0" : "=r"(types));
    const uintptr_t data_line = 4u << (types >> 16 & 15), code_line = 4u << (types & 15), end = (uintptr_t)code + size;
    for (uintptr_t at = (uintptr_t)code & -data_line; at < end; at += data_line) __asm__ volatile("dc cvau, %0" ::"r"(at) : "memory");
    __asm__ volatile("dsb ish" ::: "memory");
    for (uintptr_t at = (uintptr_t)code & -code_line; at < end; at += code_line) __asm__ volatile("ic ivau, %0" ::"r"(at) : "memory");
    __asm__ volatile("dsb ish\n\tisb" ::: "memory");
}

typedef uint64_t (*generated)(uint64_t value);

// ---- jit: functions of 16 instructions that are written, called 1,000 times and written over ----

enum { SLOT_WORDS = 17, SLOTS = 960, CALLS = 1000, MOVZ = 0xd2800001, RET = 0xd65f03c0 };
static const uint32_t operations[] = {
    0x8b010000, // add x0, x0, x1
    0xca010000, // eor x0, x0, x1
    0x93c01c00, // ror x0, x0, #7
    0xcb000020, // sub x0, x1, x0
};
static uint32_t code_buffer[SLOTS * SLOT_WORDS] __attribute__((aligned(4096)));

uint64_t kernel_jit(uint64_t iterations) {
    uint64_t value = 1;
    uint32_t seed = 17;
    for (uint64_t i = 0; i < iterations; i++) {
        uint32_t *slot = code_buffer + i % SLOTS * SLOT_WORDS;
        for (int word = 0; word < SLOT_WORDS - 1; word++) {
            uint32_t random = next_random(&seed);
            slot[word] = word % 4 == 0 ? MOVZ | (random & 0xffff) << 5 : operations[random & 3];
        }
        slot[SLOT_WORDS - 1] = RET;
        publish(slot, SLOT_WORDS * sizeof *slot);
        for (int call = 0; call < CALLS; call++) value = ((generated)slot)(value);
    }
    return value;
}

// ---- patch: an instruction of a hot function becomes another one every 5,000 calls ----

enum { PATCH_EVERY = 5000, ADD_ONE = 0x91000400, ADD_THREE = 0x91000c00 };
uint64_t patched(uint64_t value);
extern uint32_t patched_here;
__asm__(
    "    .text\n"
    "    .balign 4096\n"
    "patched:\n"
    "    eor x0, x0, x0, lsl #13\n"
    "    eor x0, x0, x0, lsr #7\n"
    "patched_here:\n"
    "    add x0, x0, #1\n"
    "    eor x0, x0, x0, lsl #17\n"
    "    ret\n");

uint64_t kernel_patch(uint64_t iterations) {
    uint64_t value = 88172645463325252;
    for (uint64_t i = 0; i < iterations; i++) {
        *(volatile uint32_t *)&patched_here = i & 1 ? ADD_THREE : ADD_ONE;
        publish(&patched_here, sizeof patched_here);
        for (int call = 0; call < PATCH_EVERY; call++) value = patched(value);
    }
    return value;
}

// ---- beside: a loop that counts in words of its own page ----

uint64_t counting(uint64_t times);
__asm__(
    "    .text\n"
    "    .balign 4096\n"
    "counting:\n"
    "    adr x1, counters\n"
    "1:  and x2, x0, #7\n"
    "    ldr x3, [x1, x2, lsl #3]\n"
    "    add x3, x3, x0\n"
    "    str x3, [x1, x2, lsl #3]\n"
    "    subs x0, x0, #1\n"
    "    b.ne 1b\n"
    "    ldr x0, [x1, #24]\n"
    "    ret\n"
    "    .balign 8\n"
    "counters:\n"
    "    .skip 64\n"
    "    .balign 4096\n");

uint64_t kernel_beside(uint64_t iterations) {
    return counting(iterations);
}
