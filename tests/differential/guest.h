// What bare-metal guests that are held against QEMU share: words, system registers, and the
// console, a PL011 where both machines have it.

typedef unsigned long u64;
typedef unsigned int u32;

#define MSR(name, value) ({ __asm__ volatile("msr " #name ", %0; isb" ::"r"((u64)(value)) : "memory"); })
#define MRS(name) ({ u64 v; __asm__ volatile("mrs %0, " #name : "=r"(v)::"memory"); v; })

static volatile u32 *const uart = (u32 *)0x09000000;
#ifdef DIGESTS
/** Where text goes only into a digest (FNV-1a): printing takes far longer than what it is about. */
static int is_digested;
static u64 digest;
static void put(char c) {
  if (is_digested) digest = (digest ^ (unsigned char)c) * 0x100000001b3;
  else *uart = c;
}
#else
static void put(char c) { *uart = c; }
#endif
static void text(const char *s) { while (*s) put(*s++); }
static void hex(u64 v) {
  int shift = 60;
  while (shift && !(v >> shift)) shift -= 4;
  for (; shift >= 0; shift -= 4) put("0123456789abcdef"[v >> shift & 15]);
  put(' ');
}
