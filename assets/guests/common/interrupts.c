// Interrupts and time: GICv3 with its system-register CPU interface (Arm IHI 0069), the generic
// timer's virtual timer, exceptions.
#include "guest.h"

enum { GICD_CTLR = 0x0000, GICD_ISENABLER = 0x0100, GICD_IGROUPR = 0x0080, GICD_IPRIORITYR = 0x0400, GICD_ICFGR = 0x0c00, GICD_IROUTER = 0x6000 };
enum { GICR_WAKER = 0x0014, GICR_SGI_FRAME = 0x10000 };
enum { CTLR_ENABLE_GRP1 = 2, WAKER_PROCESSOR_SLEEP = 2, WAKER_CHILDREN_ASLEEP = 4 };
enum { FIRST_SPI = 32, INTIDS = 1020, VIRTUAL_TIMER = 27, PRIORITY = 0xa0 };

static uint64_t distributor, redistributor;
static irq_handler handlers[INTIDS];
static volatile uint64_t ticks;
static uint64_t tick_period;

void interrupts_init(void) {
  fdt_node gic = fdt_next_compatible(NULL, "arm,gic-v3");
  if (!gic) fail("no GICv3 in the devicetree");
  distributor = fdt_cells2(gic, "reg", 0);
  redistributor = fdt_cells2(gic, "reg", 2); // of the first CPU, the only one that a guest uses
  mmio_write32(redistributor + GICR_WAKER, mmio_read32(redistributor + GICR_WAKER) & ~WAKER_PROCESSOR_SLEEP);
  while (mmio_read32(redistributor + GICR_WAKER) & WAKER_CHILDREN_ASLEEP) continue;
  write_icc(ICC_SRE_EL1, 7);
  isb();
  write_icc(ICC_PMR_EL1, 0xf0);
  write_icc(ICC_IGRPEN1_EL1, 1);
  mmio_write32(distributor + GICD_CTLR, mmio_read32(distributor + GICD_CTLR) | CTLR_ENABLE_GRP1);
  isb();
}

static void set_bits(uint64_t address, uint32_t mask, uint32_t bits) {
  mmio_write32(address, (mmio_read32(address) & ~mask) | bits);
}

void irq_attach(uint32_t intid, bool edge, irq_handler handler) {
  if (intid >= INTIDS) fail("INTID out of range");
  handlers[intid] = handler;
  uint64_t frame = intid < FIRST_SPI ? redistributor + GICR_SGI_FRAME : distributor;
  uint32_t bit = 1u << intid % 32;
  set_bits(frame + GICD_IGROUPR + intid / 32 * 4, bit, bit);
  mmio_write8(frame + GICD_IPRIORITYR + intid, PRIORITY);
  if (intid >= FIRST_SPI) {
    set_bits(frame + GICD_ICFGR + intid / 16 * 4, 3u << intid % 16 * 2, (edge ? 2u : 0u) << intid % 16 * 2);
    mmio_write64(frame + GICD_IROUTER + 8ul * intid, read_sysreg(mpidr_el1) & 0xff00ffffff);
  }
  mmio_write32(frame + GICD_ISENABLER + intid / 32 * 4, bit);
}

void irq_dispatch(void) {
  uint32_t intid = (uint32_t)read_icc(ICC_IAR1_EL1) & 0xffffff;
  if (intid >= INTIDS) return;
  if (handlers[intid]) handlers[intid](intid);
  write_icc(ICC_EOIR1_EL1, intid);
  isb();
}

static void timer_fired(uint32_t intid) {
  (void)intid;
  ticks++;
  write_sysreg(cntv_cval_el0, read_sysreg(cntv_cval_el0) + tick_period);
  isb();
}

void timer_every(uint64_t period) {
  tick_period = period;
  irq_attach(VIRTUAL_TIMER, false, timer_fired);
  write_sysreg(cntv_cval_el0, now_ticks() + period);
  write_sysreg(cntv_ctl_el0, 1);
  isb();
}

uint64_t timer_ticks(void) { return ticks; }

_Noreturn void unexpected_exception(uint64_t vector) {
  print("unexpected exception %u: ESR %x ELR %x FAR %x\n", vector, read_sysreg(esr_el1), read_sysreg(elr_el1), read_sysreg(far_el1));
  fail("crashed");
}

_Noreturn void power_off(void) {
  psci_system_off();
  for (;;) wait_for_interrupt();
}

_Noreturn void fail(const char *why) {
  print("%s\n", why);
  psci_system_reset();
  for (;;) wait_for_interrupt();
}

// Weak: firmware, which does not trust its devicetree, has its own.
__attribute__((weak)) void guest_start(const void *devicetree) {
  fdt_use(devicetree);
  interrupts_init();
  console_init();
  guest_main();
  power_off();
}
