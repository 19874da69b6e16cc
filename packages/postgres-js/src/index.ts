/** Breakwater pools on postgres.js. */
export {};
