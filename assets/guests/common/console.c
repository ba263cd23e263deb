// The console: Arm PL011 (Arm DDI 0183), found in the devicetree, transmitting by polling and
// receiving by interrupt.
#include "guest.h"
#include <stdarg.h>

enum { UARTDR = 0x00, UARTFR = 0x18, UARTIMSC = 0x38, UARTICR = 0x44 };
enum { FR_RXFE = 1 << 4, FR_TXFF = 1 << 5, INT_RX = 1 << 4, INT_RT = 1 << 6 };

static uint64_t base;
static volatile char typed[64];
static volatile uint32_t typed_in, typed_out;

static void receive(uint32_t intid) {
  (void)intid;
  while (!(mmio_read32(base + UARTFR) & FR_RXFE)) {
    char c = (char)mmio_read32(base + UARTDR);
    if (typed_in - typed_out < sizeof typed) typed[typed_in++ % sizeof typed] = c;
  }
  mmio_write32(base + UARTICR, INT_RX | INT_RT);
}

fdt_node console_begin(void) {
  fdt_node node = fdt_next_compatible(NULL, "arm,pl011");
  if (node) base = fdt_cells2(node, "reg", 0);
  return node;
}

void console_init(void) {
  fdt_node node = console_begin();
  struct fdt_interrupt line;
  if (!node || !fdt_interrupt(node, 0, &line)) return;
  irq_attach(line.intid, line.edge, receive);
  mmio_write32(base + UARTIMSC, INT_RX | INT_RT);
}

bool console_waiting(void) { return typed_in != typed_out; }

int console_read(void) {
  if (typed_in == typed_out) return -1;
  return (unsigned char)typed[typed_out++ % sizeof typed];
}

void print_char(char c) {
  if (!base) return;
  if (c == '\n') print_char('\r');
  while (mmio_read32(base + UARTFR) & FR_TXFF) continue;
  mmio_write32(base + UARTDR, (uint8_t)c);
}

static void print_number(uint64_t value, uint32_t radix) {
  char digits[20];
  int count = 0;
  do {
    uint32_t digit = (uint32_t)(value % radix);
    digits[count++] = (char)(digit < 10 ? '0' + digit : 'a' + digit - 10);
    value /= radix;
  } while (value);
  while (count) print_char(digits[--count]);
}

void print(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  for (; *format; format++) {
    if (*format != '%') {
      print_char(*format);
      continue;
    }
    switch (*++format) {
    case 's': for (const char *text = va_arg(arguments, const char *); *text; text++) print_char(*text); break;
    case 'c': print_char((char)va_arg(arguments, int)); break;
    case 'd': print_number((uint64_t)va_arg(arguments, int), 10); break;
    case 'u': print_number(va_arg(arguments, uint64_t), 10); break;
    case 'x': print_char('0'), print_char('x'), print_number(va_arg(arguments, uint64_t), 16); break;
    default: print_char(*format);
    }
  }
  va_end(arguments);
}
