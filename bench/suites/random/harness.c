/* Runs the blocks of a random program one after the other, each from registers, vectors, flags and
 * FPCR of its own, and prints a digest of what they leave eight times. blocks.h is generated
 * (random-program.ts): BLOCKS, SEED, the blocks as functions, and `blocks`, their addresses.
 * start.S of mark is the other part; it calls `mark`. */
typedef unsigned long u64;

#include "blocks.h"

void put_char(char c);

/* The state before and after a block. X28 to X30 and SP are the harness's. */
static struct {
  u64 x[28];
  u64 nzcv;
  u64 fpsr;
  u64 v[64];
  u64 fpcr;
} state __attribute__((aligned(16)));

void enter(void *state, void (*block)(void));
#define V(n, m) "q" #n ",q" #m
#define VECTORS(op) \
  op " " V(0, 1) ",[x28,#240]\n" op " " V(2, 3) ",[x28,#272]\n" op " " V(4, 5) ",[x28,#304]\n" op " " V(6, 7) ",[x28,#336]\n" \
  op " " V(8, 9) ",[x28,#368]\n" op " " V(10, 11) ",[x28,#400]\n" op " " V(12, 13) ",[x28,#432]\n" op " " V(14, 15) ",[x28,#464]\n" \
  op " " V(16, 17) ",[x28,#496]\n" op " " V(18, 19) ",[x28,#528]\n" op " " V(20, 21) ",[x28,#560]\n" op " " V(22, 23) ",[x28,#592]\n" \
  op " " V(24, 25) ",[x28,#624]\n" op " " V(26, 27) ",[x28,#656]\n" op " " V(28, 29) ",[x28,#688]\n" op " " V(30, 31) ",[x28,#720]\n"
#define X(n, m) "x" #n ",x" #m
#define GENERAL(op) \
  op " " X(0, 1) ",[x28]\n" op " " X(2, 3) ",[x28,#16]\n" op " " X(4, 5) ",[x28,#32]\n" op " " X(6, 7) ",[x28,#48]\n" \
  op " " X(8, 9) ",[x28,#64]\n" op " " X(10, 11) ",[x28,#80]\n" op " " X(12, 13) ",[x28,#96]\n" op " " X(14, 15) ",[x28,#112]\n" \
  op " " X(16, 17) ",[x28,#128]\n" op " " X(18, 19) ",[x28,#144]\n" op " " X(20, 21) ",[x28,#160]\n" op " " X(22, 23) ",[x28,#176]\n" \
  op " " X(24, 25) ",[x28,#192]\n" op " " X(26, 27) ",[x28,#208]\n"
__asm__(
  "enter: stp x29,x30,[sp,#-112]!\n stp x19,x20,[sp,#16]\n stp x21,x22,[sp,#32]\n stp x23,x24,[sp,#48]\n stp x25,x26,[sp,#64]\n"
  "stp x27,x28,[sp,#80]\n mov x28,x0\n mov x29,x1\n"
  "ldr x1,[x28,#224]\n msr nzcv,x1\n ldr x1,[x28,#232]\n msr fpsr,x1\n ldr x1,[x28,#752]\n msr fpcr,x1\n"
  VECTORS("ldp") GENERAL("ldp")
  "blr x29\n"
  GENERAL("stp") VECTORS("stp")
  "mrs x1,nzcv\n str x1,[x28,#224]\n mrs x1,fpsr\n str x1,[x28,#232]\n msr fpcr,xzr\n"
  "ldp x19,x20,[sp,#16]\n ldp x21,x22,[sp,#32]\n ldp x23,x24,[sp,#48]\n ldp x25,x26,[sp,#64]\n ldp x27,x28,[sp,#80]\n"
  "ldp x29,x30,[sp],#112\n ret\n");

static u64 seed = SEED;

static u64 random64(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return seed;
}

/* Values at the edges of integers and floats. */
static const u64 edges[] = {
  0, ~0ul, 1, 0x7ff0000000000000ul, 0xfff8000000000001ul, 0x7ff4000000000123ul, 0x3ff0000000000000ul, 0x8000000000000000ul,
  0x000ffffffffffffful, 0x7f8000003f800000ul, 0x7fc000017fa00001ul, 0x0000000180000000ul, 0x41dfffffffc00000ul, 0xc3e0000000000000ul,
};

static u64 operand(void) { return random64() & 3 ? random64() : edges[random64() % (sizeof edges / sizeof *edges)]; }

static void put_hex(u64 value) {
  for (int shift = 60; shift >= 0; shift -= 4) put_char("0123456789abcdef"[value >> shift & 15]);
}

int mark(unsigned scale) {
  u64 digest = 1;
  const u64 *words = (const u64 *)&state;
  (void)scale;
  for (unsigned block = 0; block < BLOCKS; block++) {
    for (int i = 0; i < 28; i++) state.x[i] = operand();
    state.nzcv = random64() & 0xf0000000;
    state.fpsr = 0;
    state.fpcr = (random64() & 3) << 22;                /* rounding mode */
    state.fpcr |= random64() & 7 ? 0 : 1ul << 24;       /* FZ */
    state.fpcr |= random64() & 7 ? 0 : 1ul << 25;       /* DN */
    for (int i = 0; i < 64; i++) {
      u64 value = operand();
      /* Doubles whose exponents are close to each other. */
      if (!(random64() & 3)) value = (value & 0x800ffffffffffffful) | (1010 + random64() % 26) << 52;
      state.v[i] = value;
    }
    enter(&state, blocks[block]);
    for (int i = 0; i < 94; i++) {
      digest ^= words[i];
      digest *= 0x9e3779b97f4a7c15ul;
      digest ^= digest >> 29;
    }
    if (block % (BLOCKS / 8) == BLOCKS / 8 - 1) {
      put_char('R');
      put_char(' ');
      put_hex(block);
      put_char(' ');
      put_hex(digest);
      put_char('\n');
    }
  }
  return 0;
}

void *memset(void *to, int c, u64 n) {
  for (volatile unsigned char *p = to; n--;) *p++ = (unsigned char)c;
  return to;
}
