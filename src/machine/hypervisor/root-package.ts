// Images of a root VM that is a real AArch64 program: a runtime, which is entered, and an
// application, which the runtime starts (docs/spec/hypervisor.md §8.1). Both are
// position-independent; where they lie follows from their sizes.

import { PAGE_SIZE } from "../../kit/support/values/sizes.ts";
import { UserError } from "../../kit/support/problem.ts";

/** A loadable segment of an image. Addresses are relative to the image. */
interface RootSegment {
  readonly address: number;
  readonly bytes: Uint8Array;
  /** Bytes in memory; zeros follow `bytes`. */
  readonly size: number;
  /** Bits of `Access`. */
  readonly access: number;
}

/** An image, linked to address 0. */
export interface RootImage {
  /** Relative to the image. */
  readonly entry: number;
  readonly segments: readonly RootSegment[];
}

/** The images that run in the root VM instead of a native program. */
export interface RootPackage {
  readonly runtime: RootImage;
  readonly app: RootImage;
}

/** A part of the root VM's memory with its access. Offsets in bytes, whole pages. */
interface RootPart {
  readonly offset: number;
  readonly size: number;
  readonly access: number;
}

/** Layout of the root VM's memory. Offsets in bytes. */
export interface RootLayout {
  readonly app: number;
  readonly environment: number;
  readonly heap: number;
}

const pageUp = (value: number) => Math.ceil(value / PAGE_SIZE) * PAGE_SIZE;

/** Bytes of an image in memory, whole pages. */
function imageSize(image: RootImage): number {
  return pageUp(Math.max(...image.segments.map(({ address, size }) => address + size)));
}

/**
 * The layout for a package: runtime, application, environment of `environmentSize` bytes, heap.
 * Throws a RangeError when that leaves no heap in `size` bytes.
 */
export function layoutPackage({ runtime, app }: RootPackage, environmentSize: number, size: number): RootLayout {
  const appOffset = imageSize(runtime);
  const environment = appOffset + imageSize(app);
  const heap = environment + environmentSize;
  if (heap >= size) {
    throw new UserError(`root runtime and application need ${heap} bytes with their environment`, `the root VM has ${size}`);
  }
  return { app: appOffset, environment, heap };
}

/**
 * The pages of each segment, in order.
 * Throws a RangeError where two segments have a page together: their accesses could not both hold.
 */
export function segmentParts({ runtime, app }: RootPackage, layout: RootLayout): RootPart[] {
  const parts: RootPart[] = [];
  let end = 0;
  for (const [image, base] of [[runtime, 0], [app, layout.app]] as const) {
    for (const { address, size, access } of [...image.segments].sort((a, b) => a.address - b.address)) {
      const offset = base + Math.floor(address / PAGE_SIZE) * PAGE_SIZE;
      if (offset < end) throw new RangeError(`segments of a root image share the page at 0x${offset.toString(16)}`);
      end = base + pageUp(address + size);
      parts.push({ offset, size: end - offset, access });
    }
  }
  return parts;
}
