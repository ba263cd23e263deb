// The end of a job's run that does not end by itself.

/** Virtual time (ns) after which a run that does not end by itself is cut off. */
export const PATIENCE = 10e9;
