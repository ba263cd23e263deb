// Words of the command lines of Linux guests.

/**
 * Without this, two thirds of what Debian's kernel executes until its first process are tests of
 * its own cryptography: one boot with them is enough (debian_test.ts).
 */
export const NO_SELF_TESTS = "cryptomgr.notests";
