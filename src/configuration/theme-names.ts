// Names of the themes that screens can have; `src/tui/look/themes.ts` has the colors.

export const THEMES = ["terminal", "dark", "light", "high-contrast", "solarized", "gruvbox", "nord", "deuteranopia"] as const;
