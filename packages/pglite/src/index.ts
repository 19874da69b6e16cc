/** Breakwater pools on PGlite. */
export {};
