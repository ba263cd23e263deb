// Frames of a network device into a pcapng file, at their virtual times.

import { interfaceBlock, LinkType, packetBlock, sectionHeader } from "../../kit/formats/pcapng.ts";
import type { NetDevice } from "../../machine/virtio/net/net.ts";
import { files } from "../../kit/support/files/files.ts";
import { writeFully } from "../../kit/support/files/write-all.ts";
import { joined } from "../../kit/support/values/bytes.ts";
import { VERSION } from "../../kit/support/version.ts";

/** A capture that is being made. */
interface CaptureOptions {
  /** Name of the interface. */
  readonly name: string;
  /** Virtual time in ns. */
  readonly now: () => number;
  /**
   * Makes the file with these bytes; appends others.
   * @throws Error if it cannot
   */
  readonly begin: (start: Uint8Array) => (bytes: Uint8Array) => void;
  /** Called once with the reason when the capture ends: the file can no longer be written. */
  readonly onProblem: (message: string) => void;
}

/**
 * Captures a device's frames in both directions from now on.
 * @throws Error if nothing can be written
 */
export function captureFrames(device: NetDevice, { name, now, begin, onProblem }: CaptureOptions): void {
  const description = interfaceBlock({ name, description: "virtio-net", linkType: LinkType.Ethernet });
  const write = begin(joined([sectionHeader(`el2 ${VERSION}`), description]));
  device.onFrame = (direction, bytes) => {
    try {
      write(packetBlock({ interface: 0, time: Math.floor(now()), bytes, direction: direction === "to-guest" ? "in" : "out" }));
    } catch (error) {
      device.onFrame = undefined;
      onProblem(`the capture ends here: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
}

/**
 * A new file to append to. An older one stays until it has its start.
 * @throws Error if it cannot be made
 */
export function captureFile(path: string, start: Uint8Array): (bytes: Uint8Array) => void {
  const file = files().begun(path, start);
  return (bytes) => writeFully(file, bytes);
}
