// firmware: runs in front of a protected VM's own image (docs/spec/resource-manager.md §3.12 and
// §4.6). The Resource Manager put it into memory that the VM's owner cannot write any more;
// everything else here was the owner's, and is looked at before it is used: the devicetree, the
// place of the image, its header, and its SHA-256 where this firmware carries a list of the images
// that it accepts. Entry: x0 devicetree, x1 image, x2 bytes of image. Linux's drivers name no
// image: x2 is 0 then, and the devicetree's /config says where the image lies (kernel-address and
// kernel-size, of one cell each, as crosvm writes them, or of two). What is accepted gets x0 as
// Linux's boot protocol wants it; what is not ends the VM by SYSTEM_RESET2 with a vendor's type,
// which the owner sees in VM_EXITED.
#include "../common/guest.h"

enum { PAGE = 4096, TREE_MAX = 1 << 20, TREE_DEPTH_MAX = 64, ACCEPTED_MAX = 8, DIGEST_SIZE = 32 };
enum { IMAGE_MAGIC_WORD = 14, IMAGE_SIZE_WORD = 4 };
enum refusal { BAD_TREE = 1, BAD_PLACE = 2, BAD_HEADER = 3, BAD_DIGEST = 4 };
static const uint32_t VENDOR_RESET = 0x80000000;

// Filled in by whoever deploys the image: found by its magic, then the number of digests, then the
// digests. None: any image is accepted.
static const volatile struct {
  char magic[16];
  uint32_t count;
  uint8_t digest[ACCEPTED_MAX][DIGEST_SIZE];
} accepted __attribute__((section(".data.accepted"), used)) = {.magic = "EL2-ACCEPTED-SHA"};

// From the linker script. Hidden: reached without a GOT, which nobody would relocate.
extern char _start[] __attribute__((visibility("hidden"))), __stack_top[] __attribute__((visibility("hidden")));

_Noreturn static void refuse(enum refusal why, const char *text) {
  print("firmware: refused: %s\n", text);
  psci_system_reset2(VENDOR_RESET | why, 0);
  for (;;) wait_for_interrupt();
}

// ---- the devicetree: every offset, before fdt.c follows it ----

static uint32_t big(const void *at) { return __builtin_bswap32(*(const uint32_t *)at); }

static bool text_ends(const char *at, const char *end) {
  while (at < end && *at) at++;
  return at < end;
}

static bool tree_is_sound(const char *blob) {
  if ((uintptr_t)blob % 8 || big(blob) != 0xd00dfeed) return false;
  uint64_t total = big(blob + 4), structure = big(blob + 8), strings = big(blob + 12);
  uint64_t strings_size = big(blob + 32), structure_size = big(blob + 36);
  if (total < 40 || total > TREE_MAX || structure % 4 || structure + structure_size > total || strings + strings_size > total) return false;
  const char *at = blob + structure, *end = at + structure_size, *names = blob + strings, *names_end = names + strings_size;
  for (int depth = 0; at + 4 <= end;) {
    uint32_t token = big(at);
    at += 4;
    if (token == 1) {
      const char *name = at;
      if (++depth > TREE_DEPTH_MAX || !text_ends(name, end)) return false;
      while (*at) at++;
      at = name + ((at - name + 1 + 3) & ~3);
    } else if (token == 2) {
      if (--depth < 0) return false;
    } else if (token == 3) {
      if (at + 8 > end) return false;
      uint64_t length = big(at), name = big(at + 4);
      if (length > (uint64_t)(end - at - 8) || name >= strings_size || !text_ends(names + name, names_end)) return false;
      at += 8 + ((length + 3) & ~3ul);
    } else if (token == 9) {
      return depth == 0;
    } else if (token != 4) {
      return false;
    }
  }
  return false;
}

// ---- places ----

// A number of one cell or two.
static uint64_t number(fdt_node node, const char *name) {
  uint32_t length = 0;
  return fdt_property(node, name, &length) && length == 4 ? fdt_cell(node, name, 0) : fdt_cells2(node, name, 0);
}

static bool overlaps(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size) { return a < b + b_size && b < a + a_size; }

static bool in_memory(uint64_t address, uint64_t size) {
  fdt_node memory = fdt_named("memory");
  uint32_t length = 0;
  if (!memory || !fdt_property(memory, "reg", &length) || size == 0 || address + size < address) return false;
  for (uint32_t index = 0; index < length / 16; index++) {
    uint64_t base = fdt_cells2(memory, "reg", 2 * index), bytes = fdt_cells2(memory, "reg", 2 * index + 1);
    if (address >= base && address - base <= bytes && size <= bytes - (address - base)) return true;
  }
  return false;
}

// ---- SHA-256 (FIPS 180-4) ----

static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static const uint32_t INITIAL[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

static uint32_t rotate(uint32_t word, int by) { return word >> by | word << (32 - by); }

static void sha256_block(uint32_t state[8], const uint8_t *block) {
  uint32_t w[64];
  for (int i = 0; i < 16; i++) {
    w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
  }
  for (int i = 16; i < 64; i++) {
    uint32_t s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
    uint32_t s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
  for (int i = 0; i < 64; i++) {
    uint32_t t1 = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + K[i] + w[i];
    uint32_t t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
  }
  state[0] += a, state[1] += b, state[2] += c, state[3] += d, state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

static void sha256(const uint8_t *data, uint64_t size, uint8_t digest[DIGEST_SIZE]) {
  uint32_t state[8];
  for (int i = 0; i < 8; i++) state[i] = INITIAL[i];
  uint64_t left = size;
  for (; left >= 64; left -= 64, data += 64) sha256_block(state, data);
  uint8_t tail[128];
  for (uint64_t i = 0; i < sizeof tail; i++) tail[i] = i < left ? data[i] : i == left ? 0x80 : 0;
  uint64_t end = left < 56 ? 64 : 128;
  for (int i = 0; i < 8; i++) tail[end - 1 - (uint64_t)i] = (uint8_t)(8 * size >> 8 * i);
  for (uint64_t at = 0; at < end; at += 64) sha256_block(state, tail + at);
  for (int i = 0; i < DIGEST_SIZE; i++) digest[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
}

static bool is_accepted(const uint8_t *image, uint64_t size) {
  if (accepted.count == 0) return true;
  uint8_t digest[DIGEST_SIZE];
  sha256(image, size, digest);
  for (uint32_t entry = 0; entry < accepted.count && entry < ACCEPTED_MAX; entry++) {
    int same = 0;
    while (same < DIGEST_SIZE && accepted.digest[entry][same] == digest[same]) same++;
    if (same == DIGEST_SIZE) return true;
  }
  return false;
}

// ---- the decision ----

_Noreturn static void enter(const void *image, const void *devicetree) {
  register const void *x0 asm("x0") = devicetree;
  register uint64_t x1 asm("x1") = 0, x2 asm("x2") = 0, x3 asm("x3") = 0;
  asm volatile("ic iallu\n\tdsb sy\n\tisb\n\tbr %0" ::"r"(image), "r"(x0), "r"(x1), "r"(x2), "r"(x3) : "memory");
  __builtin_unreachable();
}

void guest_start(const void *devicetree, const uint8_t *image, uint64_t size) {
  // Without a sound tree there is no console to say so.
  if (!tree_is_sound(devicetree)) refuse(BAD_TREE, "the devicetree");
  fdt_use(devicetree);
  console_begin();
  fdt_node config = fdt_named("config");
  if (size == 0 && config) {
    image = (const uint8_t *)number(config, "kernel-address");
    size = number(config, "kernel-size");
  }
  uint64_t self = (uintptr_t)_start, self_size = (uint64_t)(__stack_top - _start), place = (uintptr_t)image;
  uint64_t tree = (uintptr_t)devicetree, tree_size = big((const char *)devicetree + 4);
  if (!in_memory(place, size) || !in_memory(tree, tree_size)) refuse(BAD_PLACE, "image or devicetree lie outside the VM's memory");
  if (overlaps(place, size, self, self_size) || overlaps(tree, tree_size, self, self_size) || overlaps(place, size, tree, tree_size)) {
    refuse(BAD_PLACE, "image, devicetree and firmware overlap");
  }
  const uint32_t *words = (const uint32_t *)image;
  if (place % 4 || size < 64 || words[IMAGE_MAGIC_WORD] != 0x644d5241) refuse(BAD_HEADER, "no arm64 Image");
  if (((uint64_t)words[IMAGE_SIZE_WORD + 1] << 32 | words[IMAGE_SIZE_WORD]) > size) refuse(BAD_HEADER, "the image is cut off");
  if (!is_accepted(image, size)) refuse(BAD_DIGEST, "the image is none that this firmware accepts");
  print("firmware: image %x, %u KiB, %s\n", place, size >> 10, accepted.count ? "accepted by its digest" : "any is accepted");
  enter(image, devicetree);
}

// The run-time system's entry for guests that trust their devicetree, which this one does not.
void guest_main(void) { fail("firmware has no main"); }
