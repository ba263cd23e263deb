// Error codes of the Resource Manager's RPC replies (docs/spec/resource-manager.md §1.7): the first
// word of every reply.

/** Every code that a reply can carry, as an unsigned 32-bit word. */
export const RmError = {
  OK: 0x00,
  UNIMPLEMENTED: 0xffff_ffff,
  NOMEM: 0x01,
  NORESOURCE: 0x02,
  DENIED: 0x03,
  MSG_INVALID: 0x04,
  BUSY: 0x05,
  ARGUMENT_INVALID: 0x06,
  HANDLE_INVALID: 0x07,
  VALIDATE_FAILED: 0x08,
  MAP_FAILED: 0x09,
  MEM_INVALID: 0x0a,
  MEM_INUSE: 0x0b,
  MEM_RELEASED: 0x0c,
  VMID_INVALID: 0x0d,
  LOOKUP_FAILED: 0x0e,
  IRQ_INVALID: 0x0f,
  IRQ_INUSE: 0x10,
  IRQ_RELEASED: 0x11,
  IN_USE: 0x12,
  IRQ_NOT_MAPPED: 0x13,
  VM_STATE: 0x14,
} as const;

export type RmError = typeof RmError[keyof typeof RmError];
export type RmErrorName = keyof typeof RmError;

const NAMES = new Map<number, string>(Object.entries(RmError).map(([name, code]) => [code, name]));

/** The name of a code, or the number itself if it has none. */
export function rmErrorName(code: number): string {
  return NAMES.get(code >>> 0) ?? `error 0x${(code >>> 0).toString(16)}`;
}
