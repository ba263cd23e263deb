// Files embedded in the program: the demo's configuration and guests. The one-file program has no
// folder to read them from.

import demo from "../../../assets/demo.toml" with { type: "text" };
import faulty from "../../../assets/guests/faulty.bin" with { type: "bytes" };
import faultySymbols from "../../../assets/guests/faulty.elf" with { type: "bytes" };
import hello from "../../../assets/guests/hello.bin" with { type: "bytes" };
import helloSymbols from "../../../assets/guests/hello.elf" with { type: "bytes" };
import ping from "../../../assets/guests/ping.bin" with { type: "bytes" };
import pingSymbols from "../../../assets/guests/ping.elf" with { type: "bytes" };
import pong from "../../../assets/guests/pong.bin" with { type: "bytes" };
import pongSymbols from "../../../assets/guests/pong.elf" with { type: "bytes" };

/** Text of the demo's configuration. */
export const DEMO: string = demo;

/** The demo, and a guest with a defect: the machine of `el2 tour`. */
export const TOUR: string = `${demo}
[vm.sleeper]              # waits for a timer whose interrupt it never enables
image = "guests/faulty.bin"
symbols = "guests/faulty.elf"
memory = "4MiB"
cmdline = "masked=1"
`;

/** The files that they name. */
export const EMBEDDED_FILES: Readonly<Record<string, Uint8Array>> = {
  "guests/faulty.bin": faulty,
  "guests/faulty.elf": faultySymbols,
  "guests/hello.bin": hello,
  "guests/hello.elf": helloSymbols,
  "guests/ping.bin": ping,
  "guests/ping.elf": pingSymbols,
  "guests/pong.bin": pong,
  "guests/pong.elf": pongSymbols,
};
