// The pictures of the documentation: real screens, drawn from the session of `phone.ts`.

import { picture } from "../../src/tui/picture.ts";
import { Rig } from "./rig.ts";

const WIDTH = 110;
const HEIGHT = 30;

/** Each picture's file in docs/pictures, its title, and the keys that lead to it. */
const PICTURES: readonly (readonly [file: string, title: string, keys: string])[] = [
  ["overview.svg", "el2: the overview, with VMs, a console and events", ""],
  ["vcpus.svg", "el2: what each vCPU is doing or waiting for", "2"],
  ["memory.svg", "el2: who owns and maps physical memory, limits and parcels", "4"],
  ["why.svg", "el2: why a request was refused", "0"],
];

/** Draws them all. */
export async function drawPictures(): Promise<{ file: string; svg: string }[]> {
  const drawn: { file: string; svg: string }[] = [];
  for (const [file, title, keys] of PICTURES) {
    const rig = new Rig(WIDTH, HEIGHT, { ascii: false }, "direct");
    if (keys) await rig.type(keys);
    await rig.lines();
    drawn.push({ file, svg: picture(rig.screen, title) });
  }
  return drawn;
}
