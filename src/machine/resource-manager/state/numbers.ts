// Allocation of vIRQ numbers (docs/spec/resource-manager.md §6.3): the lowest free number of a
// range.

/**
 * First number that the Resource Manager gives itself, and the last one that its VIC has (64 shared
 * vIRQs).
 */
export const RM_FIRST_VIRQ = 32;
export const RM_LAST_VIRQ = 95;
/** First and last number that it gives any other VM. */
export const VM_FIRST_VIRQ = 960;
export const VM_LAST_VIRQ = 1019;

/** Numbers in use of one VIC: plain data. */
export interface Numbers {
  readonly first: number;
  readonly last: number;
  /**
   * Numbers that are taken; they may lie outside of the range, where a devicetree asked for them.
   */
  readonly used: Set<number>;
}

export function numbers(first: number, last: number): Numbers {
  return { first, last, used: new Set() };
}

/** Takes the lowest free number of the range; undefined when there is none. */
export function allocateNumber(from: Numbers): number | undefined {
  for (let number = from.first; number <= from.last; number++) {
    if (takeNumber(from, number)) return number;
  }
  return undefined;
}

/** Takes this number. False when it is taken. */
export function takeNumber(from: Numbers, number: number): boolean {
  if (from.used.has(number)) return false;
  from.used.add(number);
  return true;
}
