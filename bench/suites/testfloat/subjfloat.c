// The subject of Berkeley TestFloat for half precision: each function is one instruction of
// FEAT_FP16. FPCR.RMode and FPSR are read and written directly.

#include <stdbool.h>
#include <stdint.h>
#include "platform.h"
#include "softfloat.h"
#include "subjfloat_config.h"
#include "subjfloat.h"

#define RMODE_SHIFT 22

// FPSR's cumulative flags.
#define IOC 1u
#define DZC 2u
#define OFC 4u
#define UFC 8u
#define IXC 16u

void subjfloat_setRoundingMode(uint_fast8_t mode) {
  uint64_t rmode = mode == softfloat_round_near_even ? 0 : mode == softfloat_round_max ? 1 : mode == softfloat_round_min ? 2 : 3;
  __asm__ volatile("msr fpcr, %0" : : "r"(rmode << RMODE_SHIFT));
}

void subjfloat_setExtF80RoundingPrecision(uint_fast8_t precision) {
  (void)precision;
}

uint_fast8_t subjfloat_clearExceptionFlags(void) {
  uint64_t fpsr;
  __asm__ volatile("mrs %0, fpsr\n\tmsr fpsr, xzr" : "=r"(fpsr));
  uint_fast8_t flags = 0;
  if (fpsr & IOC) flags |= softfloat_flag_invalid;
  if (fpsr & DZC) flags |= softfloat_flag_infinite;
  if (fpsr & OFC) flags |= softfloat_flag_overflow;
  if (fpsr & UFC) flags |= softfloat_flag_underflow;
  if (fpsr & IXC) flags |= softfloat_flag_inexact;
  return flags;
}

// A number in a vector register, by its bits.
typedef union { float16_t bits; _Float16 value; } half;
typedef union { float32_t bits; float value; } single;
typedef union { float64_t bits; double value; } whole;

#define FROM_INTEGER(name, type, instruction) \
  float16_t name(type a) { \
    half z; \
    __asm__ volatile(instruction : "=w"(z.value) : "r"(a)); \
    return z.bits; \
  }
FROM_INTEGER(subj_ui32_to_f16, uint32_t, "ucvtf %h0, %w1")
FROM_INTEGER(subj_ui64_to_f16, uint64_t, "ucvtf %h0, %x1")
FROM_INTEGER(subj_i32_to_f16, int32_t, "scvtf %h0, %w1")
FROM_INTEGER(subj_i64_to_f16, int64_t, "scvtf %h0, %x1")

#define TO_INTEGER(name, result, type, instruction) \
  result name(float16_t a) { \
    half x = { a }; \
    type z; \
    __asm__ volatile(instruction : "=r"(z) : "w"(x.value)); \
    return z; \
  }
// The rounding mode by its letter: to nearest even, to zero, down, up, to nearest with ties away.
#define TO_INTEGERS(suffix, letter) \
  TO_INTEGER(subj_f16_to_ui32_rx_##suffix, uint_fast32_t, uint32_t, "fcvt" letter "u %w0, %h1") \
  TO_INTEGER(subj_f16_to_ui64_rx_##suffix, uint_fast64_t, uint64_t, "fcvt" letter "u %x0, %h1") \
  TO_INTEGER(subj_f16_to_i32_rx_##suffix, int_fast32_t, int32_t, "fcvt" letter "s %w0, %h1") \
  TO_INTEGER(subj_f16_to_i64_rx_##suffix, int_fast64_t, int64_t, "fcvt" letter "s %x0, %h1")
TO_INTEGERS(near_even, "n")
TO_INTEGERS(minMag, "z")
TO_INTEGERS(min, "m")
TO_INTEGERS(max, "p")
TO_INTEGERS(near_maxMag, "a")

#define CONVERT(name, from, From, to, To, instruction) \
  to name(from a) { \
    From x = { a }; \
    To z; \
    __asm__ volatile(instruction : "=w"(z.value) : "w"(x.value)); \
    return z.bits; \
  }
CONVERT(subj_f16_to_f32, float16_t, half, float32_t, single, "fcvt %s0, %h1")
CONVERT(subj_f16_to_f64, float16_t, half, float64_t, whole, "fcvt %d0, %h1")
CONVERT(subj_f32_to_f16, float32_t, single, float16_t, half, "fcvt %h0, %s1")
CONVERT(subj_f64_to_f16, float64_t, whole, float16_t, half, "fcvt %h0, %d1")

#define ONE(name, instruction) CONVERT(name, float16_t, half, float16_t, half, instruction " %h0, %h1")
ONE(subj_f16_roundToInt_r_near_even, "frintn")
ONE(subj_f16_roundToInt_r_minMag, "frintz")
ONE(subj_f16_roundToInt_r_min, "frintm")
ONE(subj_f16_roundToInt_r_max, "frintp")
ONE(subj_f16_roundToInt_r_near_maxMag, "frinta")
ONE(subj_f16_roundToInt_x, "frintx")
ONE(subj_f16_sqrt, "fsqrt")

#define TWO(name, instruction) \
  float16_t name(float16_t a, float16_t b) { \
    half x = { a }, y = { b }, z; \
    __asm__ volatile(instruction " %h0, %h1, %h2" : "=w"(z.value) : "w"(x.value), "w"(y.value)); \
    return z.bits; \
  }
TWO(subj_f16_add, "fadd")
TWO(subj_f16_sub, "fsub")
TWO(subj_f16_mul, "fmul")
TWO(subj_f16_div, "fdiv")

float16_t subj_f16_mulAdd(float16_t a, float16_t b, float16_t c) {
  half x = { a }, y = { b }, addend = { c }, z;
  __asm__ volatile("fmadd %h0, %h1, %h2, %h3" : "=w"(z.value) : "w"(x.value), "w"(y.value), "w"(addend.value));
  return z.bits;
}

#define COMPARE(name, instruction, condition) \
  bool name(float16_t a, float16_t b) { \
    half x = { a }, y = { b }; \
    uint32_t z; \
    __asm__ volatile(instruction " %h1, %h2\n\tcset %w0, " condition : "=r"(z) : "w"(x.value), "w"(y.value) : "cc"); \
    return z; \
  }
COMPARE(subj_f16_eq, "fcmp", "eq")
COMPARE(subj_f16_le, "fcmpe", "ls")
COMPARE(subj_f16_lt, "fcmpe", "mi")
COMPARE(subj_f16_eq_signaling, "fcmpe", "eq")
COMPARE(subj_f16_le_quiet, "fcmp", "ls")
COMPARE(subj_f16_lt_quiet, "fcmp", "mi")
