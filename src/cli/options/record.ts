// `--record FILE`, of commands that run a machine.

import { Option } from "@commander-js/extra-typings";

export const recordOption = new Option(
  "--record <file>",
  "record everything that enters the machine; el2 replay FILE is the same run again",
);
