// Frames of a network device into a pcapng file, at their virtual times.

import { interfaceBlock, LinkType, packetBlock, sectionHeader } from "../formats/pcapng.ts";
import type { NetDevice } from "../virtio/net/net.ts";
import { VERSION } from "./version.ts";

/**
 * Writes what a device sends and receives to `path`, from now on. Where the file cannot be written to any more, `problem` is told once.
 * @param name of the interface
 * @param now virtual time in ns
 * @throws Error where the file cannot be made
 */
export function captureFrames(device: NetDevice, path: string, name: string, now: () => number, problem: (message: string) => void): void {
  const file = Deno.openSync(path, { write: true, create: true, truncate: true });
  const write = (bytes: Uint8Array) => {
    for (let done = 0; done < bytes.length;) done += file.writeSync(bytes.subarray(done));
  };
  write(sectionHeader(`el2 ${VERSION}`));
  write(interfaceBlock({ name, description: "virtio-net", linkType: LinkType.Ethernet }));
  device.onFrame = (direction, bytes) => {
    try {
      write(packetBlock({ interface: 0, time: Math.floor(now()), bytes, direction: direction === "to-guest" ? "in" : "out" }));
    } catch (error) {
      device.onFrame = undefined;
      file.close();
      problem(`capture ${path} ends here: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
}
