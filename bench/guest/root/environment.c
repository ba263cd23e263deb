// Prints what a root VM finds at its start: registers, the environment block, its own memory, and
// what calls answer.

#include "root.h"

enum { SIGNATURE = 0, VERSION = 4, RUNTIME_IPA = 8, APP_IPA = 16, HEAP_IPA = 24, HEAP_SIZE = 32, VCPU = 40, FREQUENCY = 48, GICD = 56, GICR = 64 };

static void line(const char *name, uint64_t value) {
  print(name);
  print(" 0x");
  print_number(value);
  print("\n");
}

static uint64_t field(unsigned offset) { return *(const uint64_t *)(root.block + offset); }

void app_main(void) {
  uint64_t value, count;
  line("signature", *(const uint32_t *)(root.block + SIGNATURE));
  line("version", *(const uint16_t *)(root.block + VERSION));
  line("block", (uintptr_t)root.block - root.memory_ipa);
  line("runtime", field(RUNTIME_IPA));
  line("app", field(APP_IPA) - root.memory_ipa);
  line("heap_end", field(HEAP_IPA) + field(HEAP_SIZE) - root.memory_ipa);
  line("vcpu", field(VCPU));
  __asm__("mrs %0, cntfrq_el0" : "=r"(value));
  line("frequency_differs", field(FREQUENCY) ^ value);
  line("gicd", field(GICD));
  line("gicr", field(GICR));
  line("cspace_capid", root.cspace);
  line("partition_capid", root.partition);
  line("addrspace_capid", root.addrspace);
  line("vic", root.vic);
  line("me_capid", root.memory);
  line("me_size", root.memory_size);
  line("device_me_capid", environment("device_me_capid"));
  line("uart_me_capid", environment("uart_me_capid"));
  line("entry_hlos", environment("entry_hlos"));
  line("usable_cores", environment("usable_cores"));
  line("vic_hwirq_first", environment_array("vic_hwirq", &count));
  line("vic_hwirq_count", count);
  line("free_base", environment_array("free_ranges", &count));
  line("free_ranges", count);
  __asm__("mrs %0, daif" : "=r"(value));
  line("daif", value);
  __asm__("mrs %0, sctlr_el1" : "=r"(value));
  line("sctlr", value);
  __asm__("mrs %0, mpidr_el1" : "=r"(value));
  line("mpidr", value);
  // The MMU is off and must stay so: memory is ordinary all the same.
  static uint8_t bytes[16];
  *(volatile uint64_t *)(bytes + 3) = 0x1122334455667788;
  line("unaligned", *(volatile uint64_t *)(bytes + 3));
  line("api", CALL(HYPERVISOR_IDENTIFY, 0, 0, 0, 0, 0, 0, 0).error);
  uint64_t queue = CREATE(CREATE_MSGQUEUE);
  line("first_new_cap", queue);
  line("unconfigured", CALL(OBJECT_ACTIVATE, queue, 0, 0, 0, 0, 0, 0).error);
  line("psci_is_unknown", CALL(0, 0x84000000, 0, 0, 0, 0, 0, 0).error);
}
