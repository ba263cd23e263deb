// Five kernels of single things: cache and TLB misses, wide multiplication, bit operations, CRC32
// instructions, exclusives.
#include "kernels.h"

// ---- chase: dependent loads over 4 MiB, a page apart as often as not ----

uint64_t kernel_chase(uint64_t iterations) {
    enum { NODES = 1 << 16, STRIDE = 16 };
    static uint32_t next[NODES * STRIDE];
    uint32_t seed = 99;
    for (int i = 0; i < NODES; i++) next[i * STRIDE] = i;
    // Sattolo's shuffle: one cycle through all nodes.
    for (int i = NODES - 1; i > 0; i--) {
        int j = next_random(&seed) % i;
        uint32_t old = next[i * STRIDE];
        next[i * STRIDE] = next[j * STRIDE];
        next[j * STRIDE] = old;
    }
    uint32_t at = 0;
    for (uint64_t i = 0; i < iterations; i++) at = next[(size_t)at * STRIDE];
    return at;
}

// ---- umulh: 64 by 64 bits to 128 ----

static NOINLINE uint64_t multiply_fold(uint64_t a, uint64_t b) {
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t kernel_umulh(uint64_t iterations) {
    uint64_t a = 0x9e3779b97f4a7c15u, b = 0xd1b54a32d192ed03u;
    for (uint64_t i = 0; i < iterations; i++) {
        a = multiply_fold(a, b);
        b += i | 1;
    }
    return a;
}

// ---- bits: RBIT, CLZ, REV ----

uint64_t kernel_bits(uint64_t iterations) {
    uint64_t result = 0, x = 0x0123456789abcdef;
    for (uint64_t i = 0; i < iterations; i++) {
        uint64_t reversed;
        x = x * 6364136223846793005u + 1442695040888963407u;
        __asm__("rbit %0, %1" : "=r"(reversed) : "r"(x));
        result += __builtin_clzll(x | 1) + (reversed >> 7);
        result ^= __builtin_bswap64(x);
    }
    return result;
}

// ---- crc32: CRC32CX ----

uint64_t kernel_crc32(uint64_t iterations) {
    uint32_t crc = 0;
    uint64_t x = 1;
    for (uint64_t i = 0; i < iterations; i++, x += 0x9e3779b97f4a7c15u)
        __asm__(".arch_extension crc\n\tcrc32cx %w0, %w0, %1" : "+r"(crc) : "r"(x));
    return crc;
}

// ---- atomic: LDAXR and STLXR ----

uint64_t kernel_atomic(uint64_t iterations) {
    static uint64_t counter;
    uint64_t result = 0;
    counter = 0;
    for (uint64_t i = 0; i < iterations; i++) result += __atomic_fetch_add(&counter, i, __ATOMIC_ACQ_REL);
    return result;
}
