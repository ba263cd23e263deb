// The environment's map (RFC 8949, what docs/spec/hypervisor.md §8.4 uses of it), a console on the
// PL011, and the way to app_main().

#include "root.h"

enum { ENV_RM_CONFIG = 88, RM_PAYLOAD_OFFSET = 8, RM_PAYLOAD_SIZE = 12 };
enum { CBOR_UINT = 0, CBOR_TEXT = 3, CBOR_ARRAY = 4, CBOR_MAP = 5, CBOR_SIMPLE = 7 };
enum { RW_DEVICE = 0x10066, NO_SYNC = 0x80000000 };
enum { UART_DR = 0, UART_CR = 0x30, UART_ENABLE = 0x301 };

struct root root;
static volatile uint32_t *uart;

struct item { unsigned kind; uint64_t value; const uint8_t *next; };

static struct item read_item(const uint8_t *at) {
  struct item item = { *at >> 5, *at & 31, at + 1 };
  if (item.value >= 24) {
    unsigned bytes = 1u << (item.value - 24);
    item.value = 0;
    while (bytes--) item.value = item.value << 8 | *item.next++;
  }
  return item;
}

static const uint8_t *skip(const uint8_t *at) {
  struct item item = read_item(at);
  if (item.kind == CBOR_TEXT) return item.next + item.value;
  uint64_t parts = item.kind == CBOR_ARRAY ? item.value : item.kind == CBOR_MAP ? 2 * item.value : 0;
  const uint8_t *next = item.next;
  while (parts--) next = skip(next);
  return next;
}

static bool is_text(struct item item, const char *text) {
  if (item.kind != CBOR_TEXT) return false;
  for (uint64_t i = 0; i < item.value; i++) if (!text[i] || item.next[i] != (uint8_t)text[i]) return false;
  return text[item.value] == 0;
}

static const uint8_t *find(const char *key) {
  const uint8_t *header = root.block + ENV_RM_CONFIG;
  struct item map = read_item(header + *(const uint32_t *)(header + RM_PAYLOAD_OFFSET));
  const uint8_t *at = map.next;
  for (uint64_t i = 0; i < map.value; i++) {
    struct item name = read_item(at);
    at = skip(at);
    if (is_text(name, key)) return at;
    at = skip(at);
  }
  fail(key, 0);
}

uint64_t environment(const char *key) {
  struct item item = read_item(find(key));
  if (item.kind != CBOR_UINT) fail(key, item.kind);
  return item.value;
}

uint64_t environment_array(const char *key, uint64_t *count) {
  struct item array = read_item(find(key));
  if (array.kind != CBOR_ARRAY) fail(key, array.kind);
  *count = array.value;
  struct item first = read_item(array.next);
  return first.kind == CBOR_ARRAY ? read_item(first.next).value : first.value;
}

void print(const char *text) {
  for (; *text; text++) if (uart) uart[UART_DR] = (uint8_t)*text;
}

void print_number(uint64_t value) {
  char text[20];
  int at = sizeof text - 1;
  text[at] = 0;
  for (;;) {
    unsigned digit = value & 15;
    text[--at] = (char)(digit < 10 ? '0' + digit : 'a' + digit - 10);
    value >>= 4;
    if (!value) break;
  }
  print(text + at);
}

void fail(const char *what, uint64_t error) {
  print("FAILED ");
  print(what);
  print(" 0x");
  print_number(error);
  print("\n");
  for (;;) __asm__ volatile("wfi");
}

void finish(void) {
  print("finished\n");
  for (;;) __asm__ volatile("wfi");
}

static void map_uart(void) {
  uint64_t address = environment("uart_address");
  struct result mapped = CALL(ADDRSPACE_MAP, root.addrspace, environment("uart_me_capid"), address, RW_DEVICE, NO_SYNC, 0, 0);
  if (mapped.error) fail("uart", mapped.error);
  uart = (volatile uint32_t *)address;
  uart[UART_CR / 4] = UART_ENABLE;
}

__attribute__((section(".text.start"))) void _start(const uint8_t *block) {
  root.block = block;
  root = (struct root){
    .cspace = environment("cspace_capid"),
    .partition = environment("partition_capid"),
    .vcpu = environment("vcpu_capid"),
    .addrspace = environment("addrspace_capid"),
    .vic = environment("vic"),
    .memory = environment("me_capid"),
    .memory_ipa = environment("me_ipa_base"),
    .memory_size = environment("me_size"),
    .block = block,
  };
  map_uart();
  app_main();
  finish();
}
