// `--record FILE`, of commands that run a machine.

import { Option } from "@commander-js/extra-typings";

export const recordOption = new Option(
  "--record <file>",
  "record the machine's inputs; el2 replay FILE repeats the run exactly",
);
