// blackboard: shows and changes memory that VMs share. Lines that it obeys: `w TEXT` writes, `r`
// reads, `o` powers off.
#include "../common/guest.h"

enum { LINE = 80 };

// The shared memory: the buffer that the Resource Manager has put under /reserved-memory
// (docs/spec/resource-manager.md §7.4).
static volatile char *board;
static uint64_t size;

static void show(void) {
  if (!board[0]) print("empty\n");
  else {
    for (uint64_t at = 0; at < size && board[at]; at++) print_char(board[at]);
    print("\n");
  }
}

static void change(const char *text) {
  uint64_t at = 0;
  for (; *text && at < size - 1; at++) board[at] = *text++;
  board[at] = 0;
  print("written\n");
}

static void obey(const char *line) {
  if (line[0] == 'w' && line[1] == ' ') change(line + 2);
  else if (line[0] == 'r' && !line[1]) show();
  else if (line[0] == 'o' && !line[1]) print("bye\n"), power_off();
  else print("w TEXT, r or o\n");
}

void guest_main(void) {
  fdt_node shared = fdt_next_compatible(NULL, "qcom,shared-memory");
  fdt_node buffer = shared ? fdt_named("buffer") : NULL;
  if (!buffer) fail("no shared memory");
  board = (volatile char *)fdt_cells2(buffer, "reg", 0);
  size = fdt_cells2(buffer, "reg", 1);
  print("blackboard of %u KiB, label %u\n", size >> 10, (uint64_t)fdt_cell(shared, "qcom,label", 0));
  char line[LINE + 1];
  for (uint32_t length = 0;;) {
    irq_disable();
    if (!console_waiting()) wait_for_interrupt();
    irq_enable();
    for (int key; (key = console_read()) >= 0;) {
      if (key != '\n' && key != '\r' && length < LINE) line[length++] = (char)key;
      if (key != '\n' && key != '\r') continue;
      line[length] = 0;
      length = 0;
      obey(line);
    }
  }
}
