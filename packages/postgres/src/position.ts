/**
 * WAL positions (LSN): PostgreSQL writes them as two hexadecimal halves, the layer compares them as whole numbers.
 * Format: PostgreSQL documentation, 8.20, pg_lsn type.
 */

/**
 * A position such as `16/B374D848` as a whole number of bytes; undefined for any other text.
 */
export function parseLsn(text: string): bigint | undefined {
  const match = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(text);
  return match === null ? undefined : (BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`);
}

/**
 * A position as PostgreSQL writes it.
 * @throws RangeError for a number outside 0 to 2^64 - 1.
 */
export function formatLsn(position: bigint): string {
  if (position < 0n || position > 0xffff_ffff_ffff_ffffn) {
    throw new RangeError(`an LSN is a number from 0 to 2^64 - 1, got ${position}`);
  }
  return `${(position >> 32n).toString(16)}/${(position & 0xffff_ffffn).toString(16)}`.toUpperCase();
}
