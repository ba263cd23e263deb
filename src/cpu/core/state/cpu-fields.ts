// The fields of the CPU state as properties, by the names that they have in its layout.

import { CPU, fieldKind, type StateField } from "./cpu-state.ts";

/** Names of the fields with one number. */
type FieldName = { [Name in keyof typeof CPU]: (typeof CPU)[Name] extends StateField ? Name : never }[keyof typeof CPU];

/** i32 fields, f64 fields, and the low halves of i64 fields, signed. */
export type CpuFields = Record<FieldName, number>;

class Fields {
  readonly words: Int32Array;
  readonly doubles: Float64Array;

  constructor({ buffer }: WebAssembly.Memory) {
    this.words = new Int32Array(buffer);
    this.doubles = new Float64Array(buffer);
  }
}

for (const [name, address] of Object.entries(CPU)) {
  const kind = fieldKind(address);
  if (kind === "i32") {
    const index = address >> 2;
    Object.defineProperty(Fields.prototype, name, {
      get(this: Fields): number {
        return this.words[index];
      },
      set(this: Fields, value: number) {
        this.words[index] = value;
      },
    });
  } else if (kind === "f64") {
    const index = address >> 3;
    Object.defineProperty(Fields.prototype, name, {
      get(this: Fields): number {
        return this.doubles[index];
      },
      set(this: Fields, value: number) {
        this.doubles[index] = value;
      },
    });
  }
}

/** The fields of the CPU state in a core's memory. */
export function cpuFields(memory: WebAssembly.Memory): CpuFields {
  // The loop above has defined what the type says.
  return new Fields(memory) as unknown as CpuFields;
}
