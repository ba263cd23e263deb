// A program with an array of two dimensions.
#include <stdint.h>

volatile int32_t grid[2][3] = { { 1, 2, 3 }, { 4, 5, 6 } };

int main(void) {
  volatile int32_t (*rows)[2][3] = &grid;
  int32_t row[3] = { 7, 8, 9 };
  return (*rows)[1][2] + row[1];
}
