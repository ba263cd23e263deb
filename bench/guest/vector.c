// Four kernels of AdvSIMD and floating point.
#include "kernels.h"

#include <arm_neon.h>

// ---- ncpy: 64 bytes a turn through vector registers ----

static NOINLINE void copy_vectors(uint8_t *to, const uint8_t *from, size_t size) {
    for (size_t i = 0; i < size; i += 64) {
        uint8x16_t a = vld1q_u8(from + i), b = vld1q_u8(from + i + 16), c = vld1q_u8(from + i + 32), d = vld1q_u8(from + i + 48);
        vst1q_u8(to + i, a), vst1q_u8(to + i + 16, b), vst1q_u8(to + i + 32, c), vst1q_u8(to + i + 48, d);
    }
}

uint64_t kernel_ncpy(uint64_t iterations) {
    enum { SIZE = 32768 };
    static uint8_t from[SIZE + 128], to[SIZE] __attribute__((aligned(16)));
    for (int i = 0; i < SIZE + 128; i++) from[i] = i * 7;
    for (uint64_t i = 0; i < iterations; i++) copy_vectors(to, from + (i & 7) * 16, SIZE);
    return *(uint64_t *)(to + SIZE - 8);
}

// ---- nxor: two streams combined ----

static NOINLINE void combine(uint64_t *to, const uint64_t *from, size_t words) {
    for (size_t i = 0; i < words; i += 4) {
        uint64x2_t a = vld1q_u64(from + i), b = vld1q_u64(to + i), c = vld1q_u64(from + i + 2), d = vld1q_u64(to + i + 2);
        a = vaddq_u64(veorq_u64(a, b), b);
        c = veorq_u64(veorq_u64(c, d), vshrq_n_u64(d, 7));
        vst1q_u64(to + i, a), vst1q_u64(to + i + 2, c);
    }
}

uint64_t kernel_nxor(uint64_t iterations) {
    enum { WORDS = 4096 };
    static uint64_t from[WORDS], to[WORDS];
    for (int i = 0; i < WORDS; i++) from[i] = i * 0x9e3779b97f4a7c15u, to[i] = ~from[i];
    for (uint64_t i = 0; i < iterations; i++) combine(to, from, WORDS);
    return to[WORDS - 1] ^ to[1];
}

// ---- narx: add, rotate and exclusive-or in registers, as stream ciphers do ----

#define ROTATE(v, count) vorrq_u32(vshlq_n_u32(v, count), vshrq_n_u32(v, 32 - count))

uint64_t kernel_narx(uint64_t iterations) {
    uint32x4_t a = vdupq_n_u32(1), b = vdupq_n_u32(0x9e3779b9), c = vdupq_n_u32(7), d = vdupq_n_u32(0x12345);
    for (uint64_t i = 0; i < iterations; i++) {
        a = vaddq_u32(a, b), d = veorq_u32(d, a), d = ROTATE(d, 16);
        c = vaddq_u32(c, d), b = veorq_u32(b, c), b = ROTATE(b, 12);
        a = vaddq_u32(a, b), d = veorq_u32(d, a), d = ROTATE(d, 8);
        c = vaddq_u32(c, d), b = veorq_u32(b, c), b = ROTATE(b, 7);
    }
    return vgetq_lane_u64(vreinterpretq_u64_u32(veorq_u32(veorq_u32(a, b), veorq_u32(c, d))), 0);
}

// ---- fpmm: matrices of doubles, multiplied; a division a cell ----

uint64_t kernel_fpmm(uint64_t iterations) {
    enum { N = 32 };
    static double a[N][N], b[N][N];
    for (int i = 0; i < N * N; i++) a[i / N][i % N] = i % 17 - 8.0, b[i / N][i % N] = i % 13 * 0.5 - 3.0;
    double total = 0;
    for (uint64_t turn = 0; turn < iterations; turn++) {
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) {
                double sum = 0;
                for (int k = 0; k < N; k++) sum += a[i][k] * b[k][j];
                total += sum / (1.0 + i + j);
            }
        a[turn / N % N][turn % N] += 0.25;
    }
    union {
        double value;
        uint64_t bits;
    } result = {.value = total};
    return result.bits;
}
