// The switch of the cache of compiled regions.

/**
 * In the environment: compiled regions are neither read from the cache folder nor kept there, if it
 * is set to anything.
 */
export const NO_CODE_CACHE = "EL2_NO_CODE_CACHE";
