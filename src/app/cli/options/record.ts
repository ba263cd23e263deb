// Recordings of commands that run a machine.

import { Option } from "@commander-js/extra-typings";

export const recordOption = new Option(
  "--record <file>",
  "record the machine's inputs; el2 replay FILE repeats the run exactly",
);

export const recordingsOption = new Option(
  "--recordings <folder|none>",
  "folder for the recording of a run that fails (default: recordings/ in el2's state folder, the newest 10)",
);
