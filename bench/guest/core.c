// The nine core kernels: integer code of the kinds that compilers, kernels and interpreters are
// made of.
#include "kernels.h"

// ---- matrix: 16-bit integer matrices, multiplied and reduced ----

enum { MATRIX_SIZE = 24 };
static int16_t matrix_a[MATRIX_SIZE][MATRIX_SIZE], matrix_b[MATRIX_SIZE][MATRIX_SIZE];
static int32_t matrix_c[MATRIX_SIZE][MATRIX_SIZE];

static NOINLINE void matrix_add(int16_t value) {
    for (int i = 0; i < MATRIX_SIZE; i++)
        for (int j = 0; j < MATRIX_SIZE; j++) matrix_a[i][j] += value;
}

static NOINLINE int32_t matrix_multiply(void) {
    int32_t sum = 0;
    for (int i = 0; i < MATRIX_SIZE; i++)
        for (int j = 0; j < MATRIX_SIZE; j++) {
            int32_t cell = 0;
            for (int k = 0; k < MATRIX_SIZE; k++) cell += matrix_a[i][k] * matrix_b[k][j];
            matrix_c[i][j] = cell;
            sum += cell > 0 ? (cell >> 3) & 0xff : -cell & 7;
        }
    return sum;
}

uint64_t kernel_matrix(uint64_t iterations) {
    uint64_t result = 0;
    for (int i = 0; i < MATRIX_SIZE * MATRIX_SIZE; i++) {
        matrix_a[i / MATRIX_SIZE][i % MATRIX_SIZE] = i * 11 % 37 - 18;
        matrix_b[i / MATRIX_SIZE][i % MATRIX_SIZE] = i * 5 % 23 - 11;
    }
    for (uint64_t i = 0; i < iterations; i++) {
        matrix_add(i & 7);
        result = result * 31 + (uint32_t)matrix_multiply();
        matrix_add(-(i & 7));
    }
    return result;
}

// ---- list: search, reverse and merge-sort a linked list through pointers to records ----

struct record {
    int16_t data, index;
};
struct node {
    struct node *next;
    struct record *record;
};
typedef int (*compare)(const struct record *, const struct record *);

static NOINLINE int by_index(const struct record *a, const struct record *b) { return a->index - b->index; }
static NOINLINE int by_data(const struct record *a, const struct record *b) { return a->data - b->data; }

static NOINLINE struct node *list_find(struct node *list, int index) {
    while (list && list->record->index != index) list = list->next;
    return list;
}

static NOINLINE struct node *list_reverse(struct node *list) {
    struct node *reversed = NULL;
    while (list) {
        struct node *next = list->next;
        list->next = reversed;
        reversed = list;
        list = next;
    }
    return reversed;
}

static NOINLINE struct node *list_merge(struct node *a, struct node *b, compare order) {
    struct node *head = NULL, **tail = &head;
    while (a && b) {
        struct node **smaller = order(a->record, b->record) <= 0 ? &a : &b;
        *tail = *smaller;
        tail = &(*smaller)->next;
        *smaller = *tail;
    }
    *tail = a ? a : b;
    return head;
}

static NOINLINE struct node *list_sort(struct node *list, compare order) {
    if (!list || !list->next) return list;
    struct node *middle = list;
    for (struct node *end = list->next; end && end->next; end = end->next->next) middle = middle->next;
    struct node *second = middle->next;
    middle->next = NULL;
    return list_merge(list_sort(list, order), list_sort(second, order), order);
}

uint64_t kernel_list(uint64_t iterations) {
    enum { LENGTH = 200 };
    static struct node nodes[LENGTH];
    static struct record records[LENGTH];
    uint32_t seed = 1;
    for (int i = 0; i < LENGTH; i++) {
        records[i] = (struct record){.data = next_random(&seed) & 0x7fff, .index = i};
        nodes[i] = (struct node){.next = i + 1 < LENGTH ? &nodes[i + 1] : NULL, .record = &records[i]};
    }
    struct node *list = nodes;
    uint64_t result = 0;
    for (uint64_t i = 0; i < iterations; i++) {
        for (int j = 0; j < 20; j++) {
            result += list_find(list, (j * 37 + i) % LENGTH)->record->data;
            list = list_reverse(list);
        }
        list = list_sort(list, by_data);
        result = result * 3 + list->record->index;
        list = list_sort(list, by_index);
    }
    return result;
}

// ---- state: a state machine that tells apart integers, decimals and exponents in text ----

enum state { START, SIGN, INTEGER, FRACTION, EXPONENT_SIGN, EXPONENT, SCIENTIFIC, INVALID, STATES };

static NOINLINE const char *scan_number(const char *text, uint32_t *counts) {
    enum state state = START;
    for (; *text && *text != ','; text++) {
        char c = *text;
        int digit = c >= '0' && c <= '9';
        counts[state]++;
        switch (state) {
        case START:
            state = digit ? INTEGER : c == '+' || c == '-' ? SIGN : c == '.' ? FRACTION : INVALID;
            break;
        case SIGN:
            state = digit ? INTEGER : c == '.' ? FRACTION : INVALID;
            break;
        case INTEGER:
            state = digit ? INTEGER : c == '.' ? FRACTION : INVALID;
            break;
        case FRACTION:
            state = digit ? FRACTION : c == 'e' || c == 'E' ? EXPONENT_SIGN : INVALID;
            break;
        case EXPONENT_SIGN:
            state = c == '+' || c == '-' ? EXPONENT : INVALID;
            break;
        case EXPONENT:
        case SCIENTIFIC:
            state = digit ? SCIENTIFIC : INVALID;
            break;
        default:
            break;
        }
    }
    counts[state] += 16;
    return *text ? text + 1 : text;
}

uint64_t kernel_state(uint64_t iterations) {
    enum { SIZE = 2000 };
    static const char *const words[] = {"4711",    "98",       "-613",    "+77",      "3.14159", ".5772156", "-273.150", "+0.00729",
                                        "6.02e+2", "-.662e-3", "-13e+70", "+9.1e-31", "K0.2e-7", "-Q.++Xyz", "5Z8.2e1q", "12.0e-#"};
    static char text[SIZE + 16];
    uint32_t counts[STATES] = {0}, seed = 7;
    char *end = text;
    while (end < text + SIZE) {
        for (const char *word = words[next_random(&seed) & 15]; *word;) *end++ = *word++;
        *end++ = ',';
    }
    *end = 0;
    uint64_t result = 0;
    for (uint64_t i = 0; i < iterations; i++) {
        for (const char *rest = text; *rest;) rest = scan_number(rest, counts);
        result = result * 5 + counts[SCIENTIFIC] + counts[INVALID];
        text[i * 13 % SIZE] ^= i & 1;
    }
    return result;
}

// ---- crc: CRC-16 bit by bit ----

static NOINLINE uint16_t crc16(uint8_t byte, uint16_t crc) {
    for (int bit = 0; bit < 8; bit++, byte >>= 1) {
        int carry = (byte ^ crc) & 1;
        crc >>= 1;
        if (carry) crc ^= 0xa001;
    }
    return crc;
}

uint64_t kernel_crc(uint64_t iterations) {
    uint16_t crc = 0;
    for (uint64_t i = 0; i < iterations; i++) crc = crc16(i >> 8, crc16(i, crc));
    return crc;
}

// ---- sha: the compression function of SHA-256 (FIPS 180-4), with our own constants ----

static uint32_t sha_constants[64];

static inline uint32_t rotate(uint32_t value, int count) { return value >> count | value << (32 - count); }

static NOINLINE void sha_block(uint32_t *hash, const uint32_t *block) {
    uint32_t w[64];
    for (int i = 0; i < 16; i++) w[i] = __builtin_bswap32(block[i]);
    for (int i = 16; i < 64; i++) {
        uint32_t s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    uint32_t a = hash[0], b = hash[1], c = hash[2], d = hash[3], e = hash[4], f = hash[5], g = hash[6], h = hash[7];
    for (int i = 0; i < 64; i++) {
        uint32_t t1 = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + sha_constants[i] + w[i];
        uint32_t t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
    }
    hash[0] += a, hash[1] += b, hash[2] += c, hash[3] += d, hash[4] += e, hash[5] += f, hash[6] += g, hash[7] += h;
}

uint64_t kernel_sha(uint64_t iterations) {
    static uint32_t blocks[16][16];
    uint32_t hash[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    uint32_t seed = 256;
    for (int i = 0; i < 64; i++) sha_constants[i] = next_random(&seed) << 8 | i;
    for (int i = 0; i < 256; i++) blocks[i / 16][i % 16] = i * 0x01234567u;
    for (uint64_t i = 0; i < iterations; i++) sha_block(hash, blocks[i & 15]);
    return (uint64_t)hash[0] << 32 | hash[7];
}

// ---- memcpy: 64 bytes a turn through general registers ----

static NOINLINE void copy(uint64_t *to, const uint64_t *from, size_t words) {
    for (; words >= 8; words -= 8, to += 8, from += 8) {
        uint64_t a = from[0], b = from[1], c = from[2], d = from[3], e = from[4], f = from[5], g = from[6], h = from[7];
        to[0] = a, to[1] = b, to[2] = c, to[3] = d, to[4] = e, to[5] = f, to[6] = g, to[7] = h;
    }
}

uint64_t kernel_memcpy(uint64_t iterations) {
    enum { WORDS = 4096 };
    static uint64_t from[WORDS + 64], to[WORDS];
    for (int i = 0; i < WORDS + 64; i++) from[i] = i * 0x9e3779b97f4a7c15u;
    for (uint64_t i = 0; i < iterations; i++) copy(to, from + (i & 7) * 8, WORDS);
    return to[WORDS - 1] ^ to[0];
}

// ---- interp: a bytecode interpreter ----

enum { ADD, XOR, SCALE, SHIFT, MIX, PUSH, POP, SKIP_IF_ODD, ADD_IMMEDIATE, SWAP, ROTATE, NEXT, SUB, INCREMENT, SET_LOW, CLEAR_LOW };

static NOINLINE uint64_t interpret(const uint8_t *program, uint64_t turns) {
    uint64_t stack[16], accumulator = 0, r0 = 1, r1 = 2, r2 = 3;
    unsigned depth = 0;
    for (int i = 0; i < 16; i++) stack[i] = 0;
    for (const uint8_t *pc = program;;) {
        switch (*pc++) {
        case ADD: accumulator += r0; break;
        case XOR: accumulator ^= r1; break;
        case SCALE: r0 = accumulator * 5 + 1; break;
        case SHIFT: r1 = (accumulator >> 3) + r2; break;
        case MIX: r2 = r0 ^ r1; break;
        case PUSH: stack[depth = (depth + 1) & 15] = accumulator; break;
        case POP: accumulator = stack[depth], depth = (depth - 1) & 15; break;
        case SKIP_IF_ODD: pc += accumulator & 1 ? *pc : 1; break;
        case ADD_IMMEDIATE: accumulator += *pc++; break;
        case SWAP: { uint64_t old = r0; r0 = r2, r2 = old; break; }
        case ROTATE: accumulator = accumulator << 7 | accumulator >> 57; break;
        case NEXT:
            if (--turns == 0) return accumulator ^ r0 ^ r1 ^ r2;
            pc = program;
            break;
        case SUB: accumulator -= r2; break;
        case INCREMENT: r1++; break;
        case SET_LOW: accumulator |= 1; break;
        case CLEAR_LOW: accumulator &= ~0xffull; break;
        }
    }
}

uint64_t kernel_interp(uint64_t iterations) {
    static const uint8_t code[] = {ADD_IMMEDIATE, 23, ADD, SCALE, XOR,     PUSH,     SHIFT,     INCREMENT,   SKIP_IF_ODD, 2,   SWAP,
                                   MIX,           SUB, ROTATE, SKIP_IF_ODD, 3, ADD, XOR, ADD_IMMEDIATE, 9, POP, SCALE,
                                   SET_LOW,       SHIFT, SKIP_IF_ODD, 1, CLEAR_LOW, ADD, ROTATE, MIX, PUSH, SUB, SWAP, POP, XOR, INCREMENT, NEXT};
    // Writable, so that the compiler cannot interpret it itself.
    static uint8_t program[sizeof code];
    for (size_t i = 0; i < sizeof code; i++) ((volatile uint8_t *)program)[i] = code[i];
    return interpret(program, iterations);
}

// ---- fib: calls and returns ----

NOINLINE uint64_t fib(uint64_t n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

uint64_t kernel_fib(uint64_t iterations) {
    uint64_t result = 0;
    for (uint64_t i = 0; i < iterations; i++) result += fib(24 + (i & 1));
    return result;
}

// ---- hash: a chained hash table behind a table of functions, as kernels have them ----

struct entry {
    uint64_t key, value;
    struct entry *next;
};
struct table;
struct operations {
    uint64_t (*get)(const struct table *, uint64_t key);
    void (*put)(struct table *, uint64_t key, uint64_t value);
    uint64_t (*hash)(uint64_t key);
};
struct table {
    const struct operations *operations;
    struct entry *buckets[256];
    struct entry entries[1024];
    size_t used;
};

static NOINLINE uint64_t hash_key(uint64_t key) {
    key ^= key >> 33;
    key *= 0xff51afd7ed558ccdu;
    return key ^ key >> 29;
}

static NOINLINE uint64_t table_get(const struct table *table, uint64_t key) {
    struct entry *entry = table->buckets[table->operations->hash(key) & 255];
    while (entry && entry->key != key) entry = entry->next;
    return entry ? entry->value : ~0ull;
}

static NOINLINE void table_put(struct table *table, uint64_t key, uint64_t value) {
    struct entry **bucket = &table->buckets[table->operations->hash(key) & 255];
    for (struct entry *entry = *bucket; entry; entry = entry->next)
        if (entry->key == key) {
            entry->value = value;
            return;
        }
    struct entry *fresh = &table->entries[table->used++];
    *fresh = (struct entry){.key = key, .value = value, .next = *bucket};
    *bucket = fresh;
}

uint64_t kernel_hash(uint64_t iterations) {
    static const struct operations operations = {.get = table_get, .put = table_put, .hash = hash_key};
    static struct table table;
    table.operations = &operations;
    table.used = 0;
    for (int i = 0; i < 256; i++) table.buckets[i] = NULL;
    uint64_t result = 0;
    uint32_t seed = 5;
    for (uint64_t i = 0; i < iterations; i++) {
        uint64_t key = next_random(&seed) & 1023;
        if (i & 1) table.operations->put(&table, key, i);
        else result += table.operations->get(&table, key);
    }
    return result;
}
