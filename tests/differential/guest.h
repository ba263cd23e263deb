// What bare-metal guests that are held against QEMU share: words, system registers, and the
// console, a PL011 where both machines have it.

typedef unsigned long u64;
typedef unsigned int u32;

#define MSR(name, value) ({ __asm__ volatile("msr " #name ", %0; isb" ::"r"((u64)(value)) : "memory"); })
#define MRS(name) ({ u64 v; __asm__ volatile("mrs %0, " #name : "=r"(v)::"memory"); v; })

static volatile u32 *const uart = (u32 *)0x09000000;
static void put(char c) { *uart = c; }
static void text(const char *s) { while (*s) put(*s++); }
static void hex(u64 v) {
  int shift = 60;
  while (shift && !(v >> shift)) shift -= 4;
  for (; shift >= 0; shift -= 4) put("0123456789abcdef"[v >> shift & 15]);
  put(' ');
}
