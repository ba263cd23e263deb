// The modes of a terminal that shows screens, as sequences that set and reset them. The launchers
// reset them where the program could not.

/** Alternate screen, bracketed paste, no wrapping at the end of a line. */
export const ENTER = "\x1b[?1049h\x1b[?2004h\x1b[?7l";
export const LEAVE = "\x1b[0m\x1b[?1006l\x1b[?1002l\x1b[?2004l\x1b[?7h\x1b[?25h\x1b[?1049l";

/** Mouse reports (SGR 1006; 1002: also while it is dragged). */
export const MOUSE_ON = "\x1b[?1002h\x1b[?1006h";
export const MOUSE_OFF = "\x1b[?1006l\x1b[?1002l";

/** Modes 1004 and 2031: the terminal reports its focus, and changes to light or dark colors. */
export const WATCH = "\x1b[?1004h\x1b[?2031h", UNWATCH = "\x1b[?1004l\x1b[?2031l";

/**
 * Resets all of them, whichever are set. A terminal on its main screen goes back to the cursor that
 * was saved last: this one.
 */
export const RESET = `\x1b7\x1b[?2026l${UNWATCH}${LEAVE}`;
