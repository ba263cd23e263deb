/* mark: a CPU benchmark that checks itself. Twelve kernels do a fixed amount of integer,
 * floating-point and memory work and print a checksum each, the same on every correct machine:
 * those in floating point use IEEE's basic operations alone and are compiled without contraction.
 * SCALE multiplies the work; at 1 it is 0.37 G instructions. Bare metal: start.S gives the console
 * and the clock, and has no C library. */

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long u64;
typedef long s64;
typedef int s32;

void put_char(char c);
u64 now_ns(void);

/* The compiler calls these. */
void *memset(void *to, int c, u64 n) {
  for (volatile u8 *p = to; n--;) *p++ = (u8)c;
  return to;
}

void *memcpy(void *to, const void *from, u64 n) {
  volatile u8 *p = to;
  for (const u8 *q = from; n--;) *p++ = *q++;
  return to;
}

static void put_str(const char *s) {
  while (*s) put_char(*s++);
}

static void put_hex(u64 v) {
  for (int i = 60; i >= 0; i -= 4) put_char("0123456789abcdef"[(v >> i) & 15]);
}

static void put_dec(u64 v) {
  char digits[24];
  int n = 0;
  do digits[n++] = '0' + v % 10;
  while (v /= 10);
  while (n) put_char(digits[--n]);
}

static u64 seed;

static u32 rnd(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return (u32)(seed >> 16);
}

static u64 mix(u64 h, u64 v) {
  h ^= v;
  h *= 0x9E3779B97F4A7C15ul;
  return h ^ (h >> 29);
}

static u8 heap[4 << 20] __attribute__((aligned(64)));

/* list: build, find, reverse, merge sort. */
struct node {
  struct node *next;
  s32 key;
  u32 tag;
};

static struct node *msort(struct node *l) {
  if (!l || !l->next) return l;
  struct node *a = l, *b = l->next;
  while (b && b->next) {
    a = a->next;
    b = b->next->next;
  }
  b = a->next;
  a->next = 0;
  a = msort(l);
  b = msort(b);
  struct node h, *t = &h;
  h.next = 0;
  while (a && b) {
    struct node **m = a->key <= b->key ? &a : &b;
    t->next = *m;
    t = *m;
    *m = (*m)->next;
  }
  t->next = a ? a : b;
  return h.next;
}

static u64 k_list(u32 n) {
  u64 h = 1;
  struct node *pool = (void *)heap;
  while (n--) {
    struct node *l = 0;
    for (int i = 0; i < 2000; i++) {
      pool[i].next = l;
      pool[i].key = (s32)(rnd() & 0xffff) - 0x8000;
      pool[i].tag = i;
      l = &pool[i];
    }
    for (int f = 0; f < 20; f++) {
      s32 k = (s32)(rnd() & 0xffff) - 0x8000;
      struct node *p = l;
      u32 d = 0;
      while (p && p->key != k) {
        p = p->next;
        d++;
      }
      h = mix(h, d);
    }
    struct node *r = 0;
    while (l) {
      struct node *x = l->next;
      l->next = r;
      r = l;
      l = x;
    }
    l = msort(r);
    for (struct node *p = l; p; p = p->next) h = mix(h, (u32)p->key + p->tag);
  }
  return h;
}

/* matrix: 48 x 48 integers, multiply and accumulate. */
static u64 k_matrix(u32 n) {
  s32 (*a)[48] = (void *)heap, (*b)[48] = (void *)(heap + 16384), (*c)[48] = (void *)(heap + 32768);
  u64 h = 2;
  for (int i = 0; i < 48; i++) {
    for (int j = 0; j < 48; j++) {
      a[i][j] = rnd() % 2001 - 1000;
      b[i][j] = rnd() % 2001 - 1000;
    }
  }
  while (n--) {
    for (int i = 0; i < 48; i++) {
      for (int j = 0; j < 48; j++) {
        s32 s = 0;
        for (int k = 0; k < 48; k++) s += a[i][k] * b[k][j];
        c[i][j] = s;
      }
    }
    for (int i = 0; i < 48; i++) h = mix(h, (u32)c[i][(i * 7 + n) % 48]);
    a[n % 48][(n * 5) % 48] += 3;
  }
  return h;
}

static int is_digit(u8 c) { return c >= '0' && c <= '9'; }

/* state: a scanner of number formats: branches, and a switch by table. */
static u64 k_state(u32 n) {
  static const char *const pat[] = { "12", "-7.25", "+1e9", "0x1f", ".5", "3.e-4", "abc", "--1", "9e", "1.2.3" };
  u64 h = 3;
  u8 *t = heap;
  u32 len = 0;
  for (int i = 0; i < 800; i++) {
    const char *p = pat[rnd() % 10];
    while (*p) t[len++] = (u8)*p++;
    t[len++] = ',';
  }
  while (n--) {
    u32 cnt[8] = { 0 };
    int s = 0;
    for (u32 i = 0; i < len; i++) {
      u8 c = t[i];
      if (c == ',') {
        cnt[s]++;
        s = 0;
        continue;
      }
      switch (s) {
        case 0: s = is_digit(c) ? 1 : c == '+' || c == '-' ? 2 : c == '.' ? 3 : 7; break;
        case 1: s = is_digit(c) ? 1 : c == '.' ? 3 : c == 'e' ? 4 : c == 'x' ? 6 : 7; break;
        case 2: s = is_digit(c) ? 1 : c == '.' ? 3 : 7; break;
        case 3: s = is_digit(c) ? 3 : c == 'e' ? 4 : 7; break;
        case 4: s = c == '+' || c == '-' || is_digit(c) ? 5 : 7; break;
        case 5: s = is_digit(c) ? 5 : 7; break;
        case 6: s = is_digit(c) || (c >= 'a' && c <= 'f') ? 6 : 7; break;
        default: s = 7;
      }
    }
    for (int i = 0; i < 8; i++) h = mix(h, cnt[i]);
    t[(n * 31) % len] ^= t[(n * 31) % len] == ',' ? 0 : 1;
  }
  return h;
}

/* crc: CRC-32 by a table that is made bit by bit. */
static u64 k_crc(u32 n) {
  u32 tab[256];
  for (u32 i = 0; i < 256; i++) {
    u32 c = i;
    for (int k = 0; k < 8; k++) c = c & 1 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
    tab[i] = c;
  }
  for (int i = 0; i < 65536; i++) heap[i] = (u8)rnd();
  u64 h = 4;
  while (n--) {
    u32 c = ~0u;
    for (int i = 0; i < 65536; i++) c = tab[(c ^ heap[i]) & 255] ^ (c >> 8);
    h = mix(h, ~c);
    heap[n & 65535]++;
  }
  return h;
}

#define ROR(x, r) ((x) >> (r) | (x) << (32 - (r)))

/* sha: the compression of SHA-256 in plain C, with constants of its own. */
static u64 k_sha(u32 n) {
  u32 K[64], s[8], w[64];
  for (int i = 0; i < 64; i++) K[i] = rnd();
  for (int i = 0; i < 8; i++) s[i] = rnd();
  while (n--) {
    for (int i = 0; i < 16; i++) w[i] = s[i & 7] + i;
    for (int i = 16; i < 64; i++) {
      w[i] = w[i - 16] + w[i - 7] + (ROR(w[i - 15], 7) ^ ROR(w[i - 15], 18) ^ w[i - 15] >> 3) +
             (ROR(w[i - 2], 17) ^ ROR(w[i - 2], 19) ^ w[i - 2] >> 10);
    }
    u32 a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], f = s[5], g = s[6], h = s[7];
    for (int i = 0; i < 64; i++) {
      u32 t1 = h + (ROR(e, 6) ^ ROR(e, 11) ^ ROR(e, 25)) + ((e & f) ^ (~e & g)) + K[i] + w[i];
      u32 t2 = (ROR(a, 2) ^ ROR(a, 13) ^ ROR(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
      h = g;
      g = f;
      f = e;
      e = d + t1;
      d = c;
      c = b;
      b = a;
      a = t1 + t2;
    }
    s[0] += a;
    s[1] += b;
    s[2] += c;
    s[3] += d;
    s[4] += e;
    s[5] += f;
    s[6] += g;
    s[7] += h;
  }
  u64 r = 5;
  for (int i = 0; i < 8; i++) r = mix(r, s[i]);
  return r;
}

/* mul: 64-bit multiply, multiply high, divide, count of leading zeros, bit fields. */
static u64 k_mul(u32 n) {
  u64 a = 0x123456789abcdef1ul, b = 0xfedcba987654321ful, h = 6;
  for (u32 i = 0; i < n * 1000u; i++) {
    u64 hi = (u64)((unsigned __int128)a * b >> 64);
    s64 sh = (s64)((__int128)(s64)a * (s64)b >> 64);
    a = a * 6364136223846793005ul + 1442695040888963407ul;
    b = (b >> 7 | b << 57) ^ hi;
    if (!(i & 7)) {
      h = mix(h, a / ((b >> 33) + 1));
      h += (u64)((s64)b / (s64)((a >> 40) + 3));
      h ^= (u64)__builtin_clzl(a | 1) << (b & 31);
    }
    h += (u64)sh;
  }
  return mix(h, a ^ b);
}

/* nbody: add, multiply, divide and square root of doubles. */
static u64 k_nbody(u32 n) {
  double p[5][3], v[5][3], m[5];
  for (int i = 0; i < 5; i++) {
    m[i] = 1.0 + i * 0.37;
    for (int k = 0; k < 3; k++) {
      p[i][k] = (double)(s32)rnd() / 1e9;
      v[i][k] = (double)(s32)rnd() / 4e9;
    }
  }
  for (u32 t = 0; t < n * 100u; t++) {
    for (int i = 0; i < 5; i++) {
      for (int j = i + 1; j < 5; j++) {
        double d[3], r = 0.01;
        for (int k = 0; k < 3; k++) {
          d[k] = p[i][k] - p[j][k];
          r = r + d[k] * d[k];
        }
        double g = 1e-4 / (r * __builtin_sqrt(r));
        for (int k = 0; k < 3; k++) {
          v[i][k] = v[i][k] - d[k] * m[j] * g;
          v[j][k] = v[j][k] + d[k] * m[i] * g;
        }
      }
    }
    for (int i = 0; i < 5; i++) {
      for (int k = 0; k < 3; k++) p[i][k] = p[i][k] + 1e-4 * v[i][k];
    }
  }
  u64 h = 7;
  for (int i = 0; i < 5; i++) {
    for (int k = 0; k < 3; k++) {
      u64 x;
      __builtin_memcpy(&x, &p[i][k], 8);
      h = mix(h, x);
    }
  }
  return h;
}

/* vec: byte loops, saturating and with absolute differences. */
static u64 k_vec(u32 n) {
  u8 *a = heap, *b = heap + 65536, *o = heap + 131072;
  for (int i = 0; i < 65536; i++) {
    a[i] = (u8)rnd();
    b[i] = (u8)rnd();
  }
  u64 h = 8;
  while (n--) {
    for (int i = 0; i < 65536; i++) {
      u32 x = a[i] + b[i];
      o[i] = (u8)(x > 255 ? 255 : x);
    }
    u32 s = 0;
    for (int i = 0; i < 65536; i++) s += (u32)(o[i] > a[i] ? o[i] - a[i] : a[i] - o[i]);
    h = mix(h, s);
    a[n & 65535] ^= (u8)s;
  }
  return h;
}

/* chase: loads over 4 MiB that depend on each other. */
static u64 k_chase(u32 n) {
  u32 *p = (void *)heap, N = (4u << 20) / 4;
  for (u32 i = 0; i < N; i++) p[i] = (i * 1664525u + 1013904223u) & (N - 1);
  u32 x = 1;
  u64 h = 9;
  for (u32 i = 0; i < n * 1000u; i++) {
    x = p[x];
    if (!(i & 1023)) {
      h = mix(h, x);
      p[x] ^= 4;
    }
  }
  return mix(h, x);
}

/* vm: an interpreter of a few byte codes, with indirect branches. */
static u64 k_vm(u32 n) {
  static const u8 code[] = { 0, 1, 2, 3, 4, 5, 6, 1, 2, 7, 3, 3, 4, 0, 5, 6, 2, 1, 7, 8 };
  static void *const lab[] = { &&o0, &&o1, &&o2, &&o3, &&o4, &&o5, &&o6, &&o7, &&o8 };
  u64 r[4] = { 1, 2, 3, 4 };
  u32 pc = 0;
  u64 left = (u64)n * 1000;
#define NEXT goto *lab[code[pc++]]
  NEXT;
o0:
  r[0] += r[1];
  NEXT;
o1:
  r[1] ^= r[0] << 3;
  NEXT;
o2:
  r[2] += r[1] >> 5;
  NEXT;
o3:
  r[3] -= r[2];
  NEXT;
o4:
  r[0] = r[0] * 5 + 1;
  NEXT;
o5:
  r[1] += r[3] & 255;
  NEXT;
o6:
  if (r[0] & 1) r[2]++;
  NEXT;
o7:
  r[3] = r[3] << 1 | r[3] >> 63;
  NEXT;
o8:
  pc = 0;
  if (--left) NEXT;
  return mix(mix(r[0], r[1]), mix(r[2], r[3]));
}

/* atomic: a spin lock and a counter. */
static u64 k_atomic(u32 n) {
  static u64 ctr;
  static u32 lock;
  ctr = 0;
  for (u32 i = 0; i < n * 1000u; i++) {
    while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE)) {}
    __atomic_fetch_add(&ctr, i, __ATOMIC_RELAXED);
    __atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
  }
  return ctr;
}

static __attribute__((noinline)) u32 fib(u32 n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

/* call: recursion. */
static u64 k_call(u32 n) {
  u64 h = 11;
  while (n--) h = mix(h, fib(18) + n);
  return h;
}

static const struct {
  const char *name;
  u64 (*run)(u32);
  u32 work;
} kernels[] = {
  { "list", k_list, 60 },     { "matrix", k_matrix, 60 }, { "state", k_state, 500 },   { "crc", k_crc, 60 },
  { "sha", k_sha, 12000 },    { "mul", k_mul, 1200 },     { "nbody", k_nbody, 900 },   { "vec", k_vec, 60 },
  { "chase", k_chase, 2500 }, { "vm", k_vm, 260 },        { "atomic", k_atomic, 1500 }, { "call", k_call, 300 },
};

/* Prints a line each, "MARK name us=TIME sum=CHECKSUM", and their total. */
int mark(u32 scale) {
  u64 all = 0, start = now_ns();
  for (u32 i = 0; i < sizeof kernels / sizeof *kernels; i++) {
    seed = 88172645463325252ul + i;
    u64 begun = now_ns(), sum = kernels[i].run(kernels[i].work * scale), ended = now_ns();
    all = mix(all, sum);
    put_str("MARK ");
    put_str(kernels[i].name);
    put_str(" us=");
    put_dec((ended - begun) / 1000);
    put_str(" sum=");
    put_hex(sum);
    put_str("\n");
  }
  put_str("MARK total us=");
  put_dec((now_ns() - start) / 1000);
  put_str(" scale=");
  put_dec(scale);
  put_str(" sum=");
  put_hex(all);
  put_str("\n");
  return 0;
}
