// Runs every kernel and writes two lines a kernel to the PL011: "begin NAME", then "end NAME
// CHECKSUM". The host takes the time. A first round, whose lines are "warm NAME", lets translators
// and caches settle.
#include "kernels.h"

#define PL011_DR (*(volatile uint32_t *)0x09000000)

static void write_text(const char *text) {
    while (*text) PL011_DR = *text++;
}

static void write_hex(uint64_t value) {
    for (int shift = 60; shift >= 0; shift -= 4) PL011_DR = "0123456789abcdef"[value >> shift & 15];
}

// Turns that are measured for one that warms up.
enum { MEASURED = 4 };

struct kernel {
    const char *name;
    uint64_t (*run)(uint64_t iterations);
    uint64_t iterations;
};

#define ENTRY(name, count) {#name, kernel_##name, count},
static const struct kernel kernels[] = {KERNELS(ENTRY)};

void main(void) {
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++) {
        kernels[i].run(kernels[i].iterations);
        write_text("warm "), write_text(kernels[i].name), write_text("\n");
    }
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++) {
        write_text("begin "), write_text(kernels[i].name), write_text("\n");
        uint64_t checksum = kernels[i].run(MEASURED * kernels[i].iterations);
        write_text("end "), write_text(kernels[i].name), write_text(" "), write_hex(checksum), write_text("\n");
    }
}
