// The control of `bench calls`, for plain QEMU: an HVC that its own PSCI answers, 1,000,000 times,
// and an empty loop of the same length.

#include <stdint.h>

#define UART ((volatile uint32_t *)0x09000000)
#define PSCI_VERSION 0x84000000

enum { COUNT = 1000000, ROUNDS = 3 };

static void print(const char *text) {
  for (; *text; text++) *UART = (uint8_t)*text;
}

static uint64_t hvc(uint64_t function) {
  register uint64_t x0 __asm__("x0") = function;
  __asm__ volatile("hvc #0" : "+r"(x0)::"x1", "x2", "x3", "memory");
  return x0;
}

void main(void) {
  for (int round = 0; round < ROUNDS; round++) {
    print("begin loop\n");
    for (int i = 0; i < COUNT; i++) __asm__ volatile("" ::: "memory");
    print("end loop\n");
    print("begin psci\n");
    for (int i = 0; i < COUNT; i++) hvc(PSCI_VERSION);
    print("end psci\n");
  }
  print("finished\n");
}
