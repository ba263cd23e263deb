// The guest that breaks on demand (guests/broken.c), built once for a file of tests.

import { buildGuest } from "../../scripts/guests.ts";

/** In which way: as in guests/broken.c. */
export const FAULT = {
  none: 0,
  undefined: 1,
  loadNowhere: 2,
  storeNowhere: 3,
  jumpNowhere: 4,
  unaligned: 5,
  break: 6,
  illegalState: 7,
  misalignedStack: 8,
  handled: 9,
  vendorReset: 10,
  supervisorCall: 11,
  loop: 20,
  poll: 21,
  sleep: 22,
  maskedPriority: 23,
  disabledTimer: 24,
  listen: 25,
  listenBell: 26,
  timerStorm: 27,
  faultInVectors: 28,
  fillQueue: 29,
  panic: 30,
} as const;

/** Builds `broken.bin` and `broken.elf` into a folder. */
export async function buildBroken(folder: string): Promise<void> {
  const source = new URL("guests/broken.c", import.meta.url).pathname;
  await buildGuest(source, `${folder}/broken.elf`, `${folder}/broken.bin`);
}
