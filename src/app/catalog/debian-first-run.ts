// The machine of a Debian disk's first boot.

import { CONFIGURE, DONE, STEP } from "./debian-first-boot.ts";
import { PrimaryMachine } from "../library/primary-machine.ts";
import { MiB } from "../../kit/support/values/sizes.ts";

/** The guest did not do what it should; the message has the end of its console. */
export class FirstBootFailed extends Error {}

/** The files of a first boot. */
export interface FirstBoot {
  readonly image: Uint8Array;
  readonly initrd: Uint8Array;
  /** Path of the disk. */
  readonly disk: string;
  /** How many packages there are to be configured. */
  readonly packages: number;
  readonly progress: ((percent: number, what: string) => void) | undefined;
}

/** Virtual time (ns) between two checks of the console. */
const LOOK = 200_000_000;
/** Virtual time (ns) after which a first boot that continues is stuck. */
const LIMIT = 3600e9;
const SHOWN = 2000;

/**
 * Runs the first boot.
 * @throws FirstBootFailed
 */
export function configureDisk({ image, initrd, disk, packages, progress }: FirstBoot): void {
  const what = "configuring packages in the guest";
  const machine = new PrimaryMachine({
    image,
    initrd,
    append: `console=ttyAMA0 quiet ${CONFIGURE}`,
    memory: 512 * MiB,
    devices: [{ kind: "block", image: disk, mode: "rw" }],
  });
  let console = "";
  for (let state = "running"; state === "running" && machine.time < LIMIT;) {
    state = machine.run(machine.time + LOOK);
    console += machine.takeOutput();
    progress?.(Math.min(99, Math.floor(100 * console.split(STEP).length / (packages + 2))), what);
  }
  if (!new RegExp(`^${DONE}\\r?$`, "m").test(console)) {
    throw new FirstBootFailed(
      `the guest did not configure its packages. ${machine.message}\nIts console ends with:\n${console.slice(-SHOWN)}`,
    );
  }
  progress?.(100, what);
}
