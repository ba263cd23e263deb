// Reads a flattened devicetree in place (Devicetree Specification 0.4 chapter 5). The tree comes
// from the host's VMM and the Resource Manager, which the guest trusts: there is no bounds checking
// here.
#include "guest.h"

enum { FDT_BEGIN_NODE = 1, FDT_END_NODE = 2, FDT_PROP = 3, FDT_NOP = 4, FDT_END = 9 };

static const char *strings;
static const uint32_t *structure;

static uint32_t big(uint32_t word) { return __builtin_bswap32(word); }

static size_t length_of(const char *text) {
  size_t length = 0;
  while (text[length]) length++;
  return length;
}

static bool equal(const char *a, const char *b) {
  while (*a && *a == *b) a++, b++;
  return *a == *b;
}

static const uint32_t *skip_bytes(const uint32_t *at, size_t bytes) { return at + (bytes + 3) / 4; }

void fdt_use(const void *blob) {
  const uint32_t *header = blob;
  if (big(header[0]) != 0xd00dfeed) fail("no devicetree at x0");
  structure = (const uint32_t *)((const char *)blob + big(header[2]));
  strings = (const char *)blob + big(header[3]);
}

// Steps over the token at `at`.
static const uint32_t *next_token(const uint32_t *at) {
  switch (big(*at)) {
  case FDT_BEGIN_NODE: return skip_bytes(at + 1, length_of((const char *)(at + 1)) + 1);
  case FDT_PROP: return skip_bytes(at + 3, big(at[1]));
  default: return at + 1;
  }
}

// Steps from `at` to the next BEGIN_NODE token, at it or behind it.
static const uint32_t *next_node(const uint32_t *at) {
  while (big(*at) != FDT_BEGIN_NODE) {
    if (big(*at) == FDT_END) return NULL;
    at = next_token(at);
  }
  return at;
}

static bool is_compatible(fdt_node node, const char *compatible) {
  uint32_t length;
  const char *list = fdt_property(node, "compatible", &length);
  if (!list) return false;
  for (const char *at = list; at < list + length; at += length_of(at) + 1)
    if (equal(at, compatible)) return true;
  return false;
}

fdt_node fdt_next_compatible(fdt_node after, const char *compatible) {
  const uint32_t *at = after ? after : structure;
  while ((at = next_node(at))) {
    at = next_token(at);
    if (is_compatible(at, compatible)) return at;
  }
  return NULL;
}

fdt_node fdt_named(const char *name) {
  const uint32_t *at = structure;
  size_t length = length_of(name);
  while ((at = next_node(at))) {
    const char *found = (const char *)(at + 1);
    at = next_token(at);
    size_t same = 0;
    while (same < length && found[same] == name[same]) same++;
    if (same == length && (found[same] == 0 || found[same] == '@')) return at;
  }
  return NULL;
}

const void *fdt_property(fdt_node node, const char *name, uint32_t *length) {
  for (const uint32_t *at = node; big(*at) == FDT_PROP || big(*at) == FDT_NOP; at = next_token(at)) {
    if (big(*at) == FDT_NOP || !equal(strings + big(at[2]), name)) continue;
    if (length) *length = big(at[1]);
    return at + 3;
  }
  return NULL;
}

uint32_t fdt_cell(fdt_node node, const char *name, uint32_t index) {
  uint32_t length;
  const uint32_t *cells = fdt_property(node, name, &length);
  return cells && index < length / 4 ? big(cells[index]) : 0;
}

uint64_t fdt_cells2(fdt_node node, const char *name, uint32_t index) {
  return (uint64_t)fdt_cell(node, name, 2 * index) << 32 | fdt_cell(node, name, 2 * index + 1);
}

bool fdt_interrupt(fdt_node node, uint32_t index, struct fdt_interrupt *out) {
  uint32_t length;
  if (!fdt_property(node, "interrupts", &length) || length < 12 * (index + 1)) return false;
  bool ppi = fdt_cell(node, "interrupts", 3 * index) == 1;
  out->intid = fdt_cell(node, "interrupts", 3 * index + 1) + (ppi ? 16 : 32);
  out->edge = fdt_cell(node, "interrupts", 3 * index + 2) & 3;
  return true;
}

uint64_t boot_argument(const char *name, uint64_t otherwise) {
  fdt_node chosen = fdt_named("chosen");
  const char *at = chosen ? fdt_property(chosen, "bootargs", NULL) : NULL;
  while (at && *at) {
    const char *wanted = name;
    while (*wanted && *at == *wanted) at++, wanted++;
    if (!*wanted && *at == '=') {
      uint64_t value = 0;
      for (at++; *at >= '0' && *at <= '9'; at++) value = 10 * value + (uint64_t)(*at - '0');
      return value;
    }
    while (*at && *at != ' ') at++;
    while (*at == ' ') at++;
  }
  return otherwise;
}
