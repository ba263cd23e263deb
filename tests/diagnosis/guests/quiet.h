// The common part of the guests of diagnoses. The console does not interrupt, so that only what a
// guest asks for wakes it.
#pragma once
#include "common/channel.h"

static inline void ignore(uint32_t intid) { (void)intid; }

static inline _Noreturn void sleep_on(void) {
  for (;;) wait_for_interrupt();
}

// The doorbell whose label a boot argument has; NULL without one.
static inline fdt_node bell_find(const char *compatible, const char *argument) {
  fdt_node node = NULL;
  uint64_t label = boot_argument(argument, 0);
  while ((node = fdt_next_compatible(node, compatible)) && fdt_cell(node, "qcom,label", 0) != label) continue;
  return node;
}

// In place of the common one.
void guest_start(const void *devicetree) {
  fdt_use(devicetree);
  interrupts_init();
  console_begin();
  guest_main();
  power_off();
}
