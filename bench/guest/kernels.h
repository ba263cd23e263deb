// The 18 kernels of `deno task bench core`, and those of `deno task bench code`. Each does a fixed
// amount of work per iteration and returns a checksum, which must be the same on every machine.
#ifndef KERNELS_H
#define KERNELS_H

#include <stddef.h>
#include <stdint.h>

// Keeps a function a function: calls are part of what is measured.
#define NOINLINE __attribute__((noinline))

// Name and iterations; sized so that QEMU's TCG needs some 50 ms for each; four times that is
// measured.
#define CORE_KERNELS(K) \
    K(matrix, 1200) K(list, 500) K(state, 2500) K(crc, 1200000) K(sha, 80000) K(memcpy, 8000) K(interp, 140000) K(fib, 32) K(hash, 800000)
#define MORE_KERNELS(K) K(chase, 500000) K(umulh, 7000000) K(bits, 12000000) K(crc32, 4000000) K(atomic, 15000000)
#define VECTOR_KERNELS(K) K(ncpy, 9000) K(nxor, 4000) K(narx, 1200000) K(fpmm, 200)
#define CHANGING_KERNELS(K) K(jit, 400) K(patch, 400) K(beside, 4000000)

// What the guest runs: a list above, chosen when it is built.
#ifndef KERNELS
#define KERNELS(K) CORE_KERNELS(K) MORE_KERNELS(K) VECTOR_KERNELS(K)
#endif

#define DECLARE(name, count) uint64_t kernel_##name(uint64_t iterations);
KERNELS(DECLARE)
#undef DECLARE

// A linear congruential generator: cheap, and the same everywhere.
static inline uint32_t next_random(uint32_t *seed) {
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

#endif
