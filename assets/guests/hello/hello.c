// hello: greets, says where it runs, ticks once a second by the virtual timer, and answers what is
// typed. Boot arguments: ticks=N powers off after N ticks (default: never), ms=N is the time
// between two ticks (default 1000).
#include "../common/guest.h"

static void report_environment(void) {
  uint64_t mpidr = read_sysreg(mpidr_el1);
  print("EL%u, MPIDR %x, MIDR %x, counter at %u Hz\n", read_sysreg(currentel) >> 2 & 3, mpidr, read_sysreg(midr_el1), ticks_per_second());
  fdt_node memory = fdt_named("memory");
  if (memory) print("memory %x, %u KiB\n", fdt_cells2(memory, "reg", 0), fdt_cells2(memory, "reg", 1) >> 10);
  fdt_node vm = fdt_next_compatible(NULL, "qcom,gunyah-vm-id");
  if (!vm) {
    print("no Gunyah VM\n");
    return;
  }
  struct call_result identity = hypervisor_identify();
  const char *name = fdt_property(vm, "qcom,image-name", NULL);
  print("Gunyah API %u, variant %c; VM \"%s\", VMID %u, owner %u\n", identity.x[0] & 0x3fff, (int)(identity.x[0] >> 56),
        name ? name : "?", (uint64_t)fdt_cell(vm, "qcom,vmid", 0), (uint64_t)fdt_cell(vm, "qcom,owner-vmid", 0));
}

static void obey(char key) {
  switch (key) {
  case 'e': report_environment(); break;
  case 't': print("%u ticks, counter %x\n", timer_ticks(), now_ticks()); break;
  case 'f': print("reading where nothing is\n"), mmio_read32(0xf00000000); break;
  case 'o': print("bye\n"), power_off();
  default: print("you typed '%c'; e environment, t time, f fault, o power off\n", key);
  }
}

void guest_main(void) {
  print("hello from EL%u\n", read_sysreg(currentel) >> 2 & 3);
  report_environment();
  uint64_t last = boot_argument("ticks", 0);
  timer_every(ticks_per_second() / 1000 * boot_argument("ms", 1000));
  for (uint64_t reported = 0;;) {
    irq_disable();
    if (timer_ticks() == reported && !console_waiting()) wait_for_interrupt();
    irq_enable();
    for (int key; (key = console_read()) >= 0;) obey((char)key);
    while (reported < timer_ticks()) {
      print("tick %u\n", ++reported);
      if (reported == last) return;
    }
  }
}
