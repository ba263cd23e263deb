// Gunyah's hypercalls that a guest uses, with the names of its API (docs/spec/hypervisor.md §1.4,
// §4.2, §4.3), and PSCI.
#pragma once
#include "cpu.h"

enum gunyah_error { GUNYAH_OK = 0, GUNYAH_MSGQUEUE_EMPTY = 60, GUNYAH_MSGQUEUE_FULL = 61 };
enum { MSGQUEUE_SEND_PUSH = 1 };

static inline struct call_result hypervisor_identify(void) { return HVC(0x6000, 0, 0, 0, 0, 0); }

// Returns in x1 the flags that were set before.
static inline struct call_result doorbell_send(uint64_t cap, uint64_t new_flags) { return HVC(0x6012, cap, new_flags, 0, 0, 0); }
static inline struct call_result doorbell_receive(uint64_t cap, uint64_t clear_flags) { return HVC(0x6013, cap, clear_flags, 0, 0, 0); }

// Returns in x1 whether the queue has room left.
static inline struct call_result msgqueue_send(uint64_t cap, const void *data, size_t size, uint64_t flags) {
  return HVC(0x601b, cap, size, (uintptr_t)data, flags, 0);
}
// Returns in x1 the size of the message, in x2 whether another one waits.
static inline struct call_result msgqueue_receive(uint64_t cap, void *buffer, size_t size) {
  return HVC(0x601c, cap, (uintptr_t)buffer, size, 0, 0);
}

// PSCI 1.1 through HVC; none returns. Reset types from 0x80000000 up are the vendor's.
static inline void psci_system_off(void) { HVC(0, 0x84000008, 0, 0, 0, 0); }
static inline void psci_system_reset(void) { HVC(0, 0x84000009, 0, 0, 0, 0); }
static inline void psci_system_reset2(uint32_t type, uint64_t cookie) { HVC(0, 0xc4000012, type, cookie, 0, 0); }
