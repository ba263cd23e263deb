// The rules by which an ITS ignores a command or a message, or stalls (Arm IHI 0069 chapter 5): the
// code of each, and its words. Saved states have the words.

export const ITS_RULES = {
  "its-disabled": "the ITS is disabled",
  "device-unmapped": "the device is not mapped",
  "event-unmapped": "the event is not mapped",
  "collection-unmapped": "the collection is not mapped",
  "lpis-disabled": "the redistributor's LPIs are disabled",
  "unknown-command": "there is no such command",
  "unknown-redistributor": "RDbase names no redistributor",
  "device-range": "DeviceID is out of range",
  "event-range": "EventID is out of the device's range",
  "collection-range": "ICID is out of range",
  "size-range": "Size exceeds GITS_TYPER.ID_bits",
  "intid-range": "pINTID is not an LPI of this GIC",
  "device-table": "DeviceID is outside of the device table",
  "collection-table": "ICID is outside of the collection table",
  "corrupt-entry": "the table's entry is corrupt",
  "unreadable-queue": "the command queue cannot be read",
  "inaccessible-table": "a table cannot be accessed",
} as const;

export type ItsRule = keyof typeof ITS_RULES;

export const ITS_RULE_CODES = Object.keys(ITS_RULES) as readonly ItsRule[];
