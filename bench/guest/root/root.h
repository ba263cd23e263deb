// What programs in the root VM have: hypercalls, the environment's map, a console. Entry:
// app_main().
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Nothing is reached through a table that would need relocation.
#pragma GCC visibility push(hidden)

struct result { uint64_t error, x1, x2, x3, x4; };

// HVC #number with X0..X6; what a native call leaves zero or changes is X0..X17.
#define CALL(number, a0, a1, a2, a3, a4, a5, a6) ({ \
  uint64_t v0 = (a0), v1 = (a1), v2 = (a2), v3 = (a3), v4 = (a4), v5 = (a5), v6 = (a6); \
  register uint64_t r0 __asm__("x0") = v0, r1 __asm__("x1") = v1, r2 __asm__("x2") = v2, r3 __asm__("x3") = v3; \
  register uint64_t r4 __asm__("x4") = v4, r5 __asm__("x5") = v5, r6 __asm__("x6") = v6, r7 __asm__("x7") = 0; \
  __asm__ volatile("hvc %8" : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3), "+r"(r4), "+r"(r5), "+r"(r6), "+r"(r7) : "i"(number) \
    : "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "memory"); \
  (struct result){ r0, r1, r2, r3, r4 }; })

// Numbers of hypercalls (docs/spec/hypervisor.md §4).
enum {
  HYPERVISOR_IDENTIFY = 0x6000,
  CREATE_CSPACE = 0x6002,
  CREATE_ADDRSPACE = 0x6003,
  CREATE_MEMEXTENT = 0x6004,
  CREATE_THREAD = 0x6005,
  CREATE_DOORBELL = 0x6006,
  CREATE_MSGQUEUE = 0x6007,
  CREATE_VIC = 0x600a,
  OBJECT_ACTIVATE = 0x600c,
  DOORBELL_BIND_VIRQ = 0x6010,
  DOORBELL_SEND = 0x6012,
  DOORBELL_RECEIVE = 0x6013,
  MSGQUEUE_BIND_SEND_VIRQ = 0x6017,
  MSGQUEUE_BIND_RECEIVE_VIRQ = 0x6018,
  MSGQUEUE_SEND = 0x601b,
  MSGQUEUE_RECEIVE = 0x601c,
  MSGQUEUE_CONFIGURE = 0x6021,
  CSPACE_COPY_CAP_FROM = 0x6023,
  CSPACE_CONFIGURE = 0x6025,
  VIC_CONFIGURE = 0x6028,
  VIC_ATTACH_VCPU = 0x6029,
  ADDRSPACE_ATTACH_THREAD = 0x602a,
  ADDRSPACE_MAP = 0x602b,
  ADDRSPACE_CONFIGURE = 0x602e,
  MEMEXTENT_CONFIGURE_DERIVE = 0x6032,
  VCPU_CONFIGURE = 0x6034,
  VCPU_POWERON = 0x6038,
  VCPU_SET_AFFINITY = 0x603d,
  CSPACE_ATTACH_THREAD = 0x603e,
  VCPU_BIND_VIRQ = 0x605c,
  ADDRSPACE_CONFIGURE_VMMIO = 0x6060,
  VCPU_RUN = 0x6065,
};

// The value of an unsigned integer in the environment's map; ends the program where there is none.
uint64_t environment(const char *key);
// The first number of an array of numbers, and how many there are; or of an array of arrays of
// numbers.
uint64_t environment_array(const char *key, uint64_t *count);

void print(const char *text);
void print_number(uint64_t value);
_Noreturn void fail(const char *what, uint64_t error);
_Noreturn void finish(void);

// A call that must succeed; gives X1.
#define MUST(name, a0, a1, a2, a3, a4, a5, a6) ({ \
  struct result must = CALL(name, a0, a1, a2, a3, a4, a5, a6); \
  if (must.error) fail(#name, must.error); \
  must.x1; })

// The root VM's own objects and the environment block.
struct root { uint64_t cspace, partition, vcpu, addrspace, vic, memory, memory_ipa, memory_size; const uint8_t *block; };
extern struct root root;

// A new object; then its activation.
#define CREATE(name) MUST(name, root.partition, root.cspace, 0, 0, 0, 0, 0)
#define ACTIVATE(cap) MUST(OBJECT_ACTIVATE, cap, 0, 0, 0, 0, 0, 0)

void app_main(void);

#pragma GCC visibility pop
