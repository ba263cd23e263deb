// The small run-time system of the guests: devicetree, console, interrupts, timer. One guest is one
// file with guest_main().
#pragma once
#include "cpu.h"
#include "gunyah.h"

// ---- devicetree (fdt.c), Devicetree Specification 0.4 chapter 5 ----

// A node of the tree: the word behind its name. NULL is no node.
typedef const uint32_t *fdt_node;

void fdt_use(const void *blob);
// The next node after `after` (NULL: from the start) one of whose compatible strings is
// `compatible`.
fdt_node fdt_next_compatible(fdt_node after, const char *compatible);
// The node whose name, without unit address, is `name`.
fdt_node fdt_named(const char *name);
// Value of a property and its length in bytes; NULL if there is none.
const void *fdt_property(fdt_node node, const char *name, uint32_t *length);
// Cell or pair of cells `index` of a property of cells; 0 where the property is shorter.
uint32_t fdt_cell(fdt_node node, const char *name, uint32_t index);
uint64_t fdt_cells2(fdt_node node, const char *name, uint32_t index);
// INTID and trigger of entry `index` of `interrupts` with three cells each (Arm GIC binding). False
// if it is not there.
struct fdt_interrupt { uint32_t intid; bool edge; };
bool fdt_interrupt(fdt_node node, uint32_t index, struct fdt_interrupt *out);

// ---- console (console.c) ----

void console_init(void);
// Output alone, without interrupts. Returns the console's node.
fdt_node console_begin(void);
void print_char(char c);
// A printf with %s, %c, %d (int), %u (uint64_t), %x (uint64_t) and %%.
void print(const char *format, ...);
// The next typed character, or -1. Typed characters interrupt.
int console_read(void);
bool console_waiting(void);

// ---- interrupts and time (interrupts.c) ----

typedef void (*irq_handler)(uint32_t intid);

void interrupts_init(void);
void irq_attach(uint32_t intid, bool edge, irq_handler handler);
static inline uint64_t now_ticks(void) { isb(); return read_sysreg(cntvct_el0); }
static inline uint64_t ticks_per_second(void) { return read_sysreg(cntfrq_el0); }
// Fires the virtual timer every `period` ticks, without drift. Each time counts one up in
// timer_ticks().
void timer_every(uint64_t period);
uint64_t timer_ticks(void);

// ---- the guest ----

// Value of NAME=NUMBER in /chosen/bootargs, or `otherwise`.
uint64_t boot_argument(const char *name, uint64_t otherwise);
_Noreturn void power_off(void);
_Noreturn void fail(const char *why);

void guest_main(void);
