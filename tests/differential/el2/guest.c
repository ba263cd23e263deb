// A bare-metal guest at EL2 that runs code at EL2, EL1 and EL0 and prints what comes of it: values
// of registers, exceptions of both levels, translations. The same text on two machines is the same
// behaviour. It does so with and without HCR_EL2.E2H.

#include "attempt.h"
#include "registers.h"
#include "levels.h"
#include "stage1.h"
#include "stage2.h"
#include "timers.h"
#include "lists.h"

int main(void) {
  // Values at reset differ.
  MSR(sctlr_el1, 0x30d00800);
  MSR(sctlr_el2, 0x30c50830);
  for (int i = 0; i < 2; i++) {
    host = i ? E2H : 0;
    text("E2H "), hex(i), put('\n');
    control(0);
    registers();
    exceptions();
    returns();
    floating_point();
    interrupts();
    stage1();
    stage2();
    timers_of_el2();
    lists();
  }
  text("end\n");
  return 0;
}
