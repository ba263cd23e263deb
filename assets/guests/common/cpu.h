// What the CPU gives a guest: system registers, barriers, device accesses and calls to EL2.
// Registers: Arm ARM D13. Calls: Gunyah's native hypercall convention (HVC #0x6000 + n) and SMCCC
// 1.3.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define read_sysreg(name) ({ uint64_t value_; asm volatile("mrs %0, " #name : "=r"(value_)); value_; })
#define write_sysreg(name, value) asm volatile("msr " #name ", %0" ::"r"((uint64_t)(value)))

// ICC_* by encoding, so that any assembler takes them.
#define ICC_PMR_EL1 S3_0_C4_C6_0
#define ICC_IAR1_EL1 S3_0_C12_C12_0
#define ICC_EOIR1_EL1 S3_0_C12_C12_1
#define ICC_SRE_EL1 S3_0_C12_C12_5
#define ICC_IGRPEN1_EL1 S3_0_C12_C12_7
#define read_icc(name) read_sysreg_expanded(name)
#define write_icc(name, value) write_sysreg_expanded(name, value)
#define read_sysreg_expanded(name) read_sysreg(name)
#define write_sysreg_expanded(name, value) write_sysreg(name, value)

static inline void isb(void) { asm volatile("isb" ::: "memory"); }
static inline void irq_enable(void) { asm volatile("msr daifclr, #2" ::: "memory"); }
static inline void irq_disable(void) { asm volatile("msr daifset, #2" ::: "memory"); }
// With IRQs masked, WFI still ends when one becomes pending; it is taken at irq_enable().
static inline void wait_for_interrupt(void) { asm volatile("dsb sy\n\twfi" ::: "memory"); }

// Written out, so that each access is one load or store with a syndrome that a VMM can emulate.
static inline uint32_t mmio_read32(uint64_t address) {
  uint32_t value;
  asm volatile("ldr %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
  return value;
}
static inline void mmio_write32(uint64_t address, uint32_t value) { asm volatile("str %w0, [%1]" ::"r"(value), "r"(address) : "memory"); }
static inline void mmio_write8(uint64_t address, uint8_t value) { asm volatile("strb %w0, [%1]" ::"r"(value), "r"(address) : "memory"); }
static inline void mmio_write64(uint64_t address, uint64_t value) { asm volatile("str %0, [%1]" ::"r"(value), "r"(address) : "memory"); }

struct call_result { uint64_t x[4]; };

// One HVC instruction per immediate: the number is part of the encoding.
#define HVC(immediate, a0, a1, a2, a3, a4)                                                                                   \
  ({                                                                                                                         \
    register uint64_t x0_ asm("x0") = (a0);                                                                                  \
    register uint64_t x1_ asm("x1") = (a1);                                                                                  \
    register uint64_t x2_ asm("x2") = (a2);                                                                                  \
    register uint64_t x3_ asm("x3") = (a3);                                                                                  \
    register uint64_t x4_ asm("x4") = (a4);                                                                                  \
    asm volatile("hvc %5"                                                                                                    \
                 : "+r"(x0_), "+r"(x1_), "+r"(x2_), "+r"(x3_), "+r"(x4_)                                                     \
                 : "i"(immediate)                                                                                            \
                 : "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "memory");          \
    (struct call_result){{x0_, x1_, x2_, x3_}};                                                                              \
  })
