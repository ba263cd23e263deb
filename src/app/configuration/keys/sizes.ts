// Schemas of sizes, durations and addresses in a configuration, and their errors.

import * as v from "valibot";
import { FIRST_RAM_ADDRESS } from "../../../machine/resource-manager/config/limits.ts";
import { MAXIMUM_PRIMARY_MEMORY } from "../../../machine/hardware/memory-map.ts";
import { wrong } from "../../../model/plans/config-fact.ts";
import { BLOCK, WIDEST_ADDRESS } from "../../../model/plans/limits.ts";
import { facts } from "../../../kit/support/values/described.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import { DURATION_PATTERN, formatSize, parseDuration, parseSize, SIZE_PATTERN } from "../../../kit/support/text/units.ts";
import { mustBe, outsideOf } from "./values.ts";

/** A size in bytes between `min` and what a machine can have, a multiple of 2 MiB. */
export const size = (min: number) => sizeBetween(min, MAXIMUM_PRIMARY_MEMORY, BLOCK);

/** A size in bytes between two, a multiple of `unit`: 2 MiB, or one byte. */
export function sizeBetween(min: number, max: number, unit: typeof BLOCK | 1) {
  return v.pipe(
    v.unknown(),
    facts({ type: "string", pattern: SIZE_PATTERN }),
    v.rawTransform<unknown, number>(({ dataset, addIssue, NEVER }) => {
      const refuse = (message: string) => {
        addIssue({ message });
        return NEVER;
      };
      if (typeof dataset.value === "number") return refuse(wrong("has no unit", 'write a string with K, M or G, such as "256MiB"'));
      const bytes = typeof dataset.value === "string" ? parseSize(dataset.value) : undefined;
      if (bytes === undefined) return refuse(mustBe("a size", '"256MiB"'));
      if (bytes < min || bytes > max) return refuse(outsideOf(`${formatSize(min)}..${formatSize(max)}`));
      if (bytes % unit !== 0) return refuse("is not a multiple of 2MiB");
      return bytes;
    }),
  );
}

/** A size in whole pages, up to `most` bytes. */
export function pagesUpTo(most: number) {
  return v.pipe(
    v.string(mustBe('a size, such as "64KiB"')),
    facts({ pattern: SIZE_PATTERN }),
    v.rawTransform<string, number>(({ dataset, addIssue, NEVER }) => {
      const bytes = parseSize(dataset.value);
      if (bytes !== undefined && bytes % PAGE_SIZE === 0 && bytes <= most) return bytes;
      addIssue({
        message: bytes === undefined ? mustBe("a size", '"64KiB"') : `is not whole pages of up to ${formatSize(most)}`,
      });
      return NEVER;
    }),
  );
}

/** A span of addresses in whole pages. */
export const span = pagesUpTo(WIDEST_ADDRESS);

/** The size of memory that VMs share: whole pages. */
export const bufferSize = v.pipe(
  v.string(mustBe('a size, such as "64KiB"')),
  facts({ pattern: SIZE_PATTERN }),
  v.rawTransform<string, number>(({ dataset, addIssue, NEVER }) => {
    const bytes = parseSize(dataset.value);
    const whole = bytes !== undefined && bytes > 0 && bytes % PAGE_SIZE === 0 && bytes <= MAXIMUM_PRIMARY_MEMORY;
    if (whole) return bytes;
    addIssue({ message: bytes === undefined ? mustBe("a size", '"64KiB"') : "is not a multiple of 4KiB" });
    return NEVER;
  }),
);

/** A locked-memory limit in bytes; "unlimited" is a number that no machine reaches. */
export const memlock = v.pipe(
  v.unknown(),
  facts({ type: "string", pattern: `^unlimited$|${SIZE_PATTERN}` }),
  v.rawTransform<unknown, number>(({ dataset, addIssue, NEVER }) => {
    if (dataset.value === "unlimited") return Number.MAX_SAFE_INTEGER;
    const bytes = typeof dataset.value === "string" ? parseSize(dataset.value) : undefined;
    if (bytes !== undefined) return bytes;
    addIssue({ message: mustBe("a size", '"64KiB", or "unlimited"') });
    return NEVER;
  }),
);

/** A duration in whole microseconds between two, as a multiple of `unit` (ns): 1 or 1000. */
export function duration(min: number, max: number, unit: 1 | 1000) {
  return v.pipe(
    v.string(mustBe("a duration", '"1ms"')),
    facts({ pattern: DURATION_PATTERN }),
    v.rawTransform<string, number>(({ dataset, addIssue, NEVER }) => {
      const refuse = (message: string) => {
        addIssue({ message });
        return NEVER;
      };
      const ns = parseDuration(dataset.value);
      if (ns === undefined) return refuse(mustBe("a duration", '"1ms"'));
      if (ns < min * 1000 || ns > max * 1000) return refuse(outsideOf(`${min}us..${max / 1000}ms`));
      return Math.round(ns / 1000) * (1000 / unit);
    }),
  );
}

/** Where a VM can have RAM; `checkBase` knows the machine's width of addresses. */
export const ramAddress = v.pipe(
  v.number(mustBe("a whole number")),
  v.safeInteger(mustBe("a whole number")),
  facts({ minimum: FIRST_RAM_ADDRESS, maximum: WIDEST_ADDRESS - 1, multipleOf: BLOCK }),
  v.check((base) => base >= FIRST_RAM_ADDRESS && base < WIDEST_ADDRESS, outsideOf("0x40000000..0xffffffffff")),
  v.check((base) => base % BLOCK === 0, (issue) => {
    const up = Math.ceil((issue.input as number) / BLOCK) * BLOCK;
    return wrong("is not 2 MiB aligned (the Resource Manager would round it up, but not the devicetree)", `use 0x${up.toString(16)}`);
  }),
);
