/** Breakwater pools on mysql2. */
export {};
