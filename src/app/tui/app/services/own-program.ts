// Commands of this program that the screens have run aside, as they take a while: `el2 diff`.

/** Runs a command line, and gives what it has printed. */
export type OwnProgram = (args: readonly string[]) => Promise<{ readonly answer: string; readonly complaint: string }>;
