// Rules of injected faults, in words.

/** The way out of what a rule has caused. @param rule `inject:1`, or `all` */
export const removalOf = (rule: string): string => `remove the rule that injects it: \`el2 inject --remove ${rule}\``;
