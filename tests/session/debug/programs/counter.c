// A program without an operating system that counts, beside `calls.c` in another VM.
#include <stdint.h>

volatile uint64_t total;

__attribute__((noinline)) uint64_t count(uint64_t step) {
  total += step;
  return total;
}

int main(void) {
  for (uint64_t round = 0; round < 1000; round++) {
    count(round % 3);
  }
  return 0;
}
