// Words of a POSIX shell.

/** A text in single quotes, which a shell takes as it is. */
export const shellQuoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
