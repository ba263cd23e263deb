// A program for debuggers: calls, inlined functions, and variables of several types.
#include <stdint.h>

enum color { RED, GREEN = 5, BLUE };

struct point {
  int32_t x, y;
};

struct shape {
  const char *name;
  enum color color;
  struct point corners[3];
  struct shape *next;
  uint32_t closed : 1, layer : 4;
};

volatile uint64_t total;
static volatile int32_t ticks = -7;
struct shape shapes[2] = {
  { "triangle", GREEN, { { 1, 2 }, { 3, 4 }, { 5, 6 } }, &shapes[1], 1, 9 },
  { "line", BLUE, { { -1, -2 } }, 0, 0, 3 },
};

static inline __attribute__((always_inline)) int32_t twice(int32_t value) {
  ticks++;
  return 2 * value;
}

__attribute__((noinline)) int32_t leaf(int32_t value) {
  total += (uint64_t)value;
  return value + 1;
}

__attribute__((noinline)) int32_t area(const struct shape *shape, int32_t scale) {
  int32_t sum = 0;
  for (int32_t corner = 0; corner < 3; corner++) {
    int32_t product = shape->corners[corner].x * shape->corners[corner].y;
    sum += twice(product) * scale;
  }
  sum = leaf(sum);
  return sum;
}

__attribute__((noinline)) int32_t recurse(int32_t depth) {
  if (depth == 0) return area(&shapes[0], 3);
  int32_t below = recurse(depth - 1);
  total += (uint64_t)below;
  return below + depth;
}

int main(void) {
  for (int32_t round = 0; round < 4; round++) {
    int32_t result = recurse(3);
    total += (uint64_t)result;
  }
  return 0;
}
