/**
 * What is asked of the database. The seed decides it, so both sides are asked for the same.
 */
import type { Client } from "./client.ts";
import { below, type Dice } from "./random.ts";
import { ACCOUNTS, type Side } from "./schema.ts";

/** A read of a balance, an autocommit insert, or a transfer in a transaction. Every write has an id of its own. */
export type Call =
  | { readonly kind: "read"; readonly account: number }
  | { readonly kind: "order"; readonly id: string; readonly customer: number; readonly amount: number }
  | {
      readonly kind: "transfer";
      readonly id: string;
      readonly source: number;
      readonly target: number;
      readonly amount: number;
    };

/** The next call of one kind. `id` must not have been used before on that side. */
export function nextCall(kind: Call["kind"], id: string, random: Dice): Call {
  const account = 1 + below(ACCOUNTS, random);
  const amount = 1 + below(100, random);
  if (kind === "read") return { kind, account };
  if (kind === "order") return { kind, id, customer: account, amount };
  // Another account, whatever the dice say.
  const target = 1 + ((account - 1 + 1 + below(ACCOUNTS - 1, random)) % ACCOUNTS);
  return { kind, id, source: account, target, amount };
}

/** Makes a call on a side's own tables, with nothing around it: what happens to a failure is the client's affair. */
export async function make(call: Call, client: Client, side: Side): Promise<void> {
  if (call.kind === "read") {
    const { rows } = await client.query(`SELECT balance FROM ${side}.accounts WHERE id = $1`, [call.account]);
    if (rows.length !== 1) throw new Error(`account ${call.account} was answered with ${rows.length} rows`);
    return;
  }
  if (call.kind === "order") {
    const text = `INSERT INTO ${side}.orders (id, customer, amount) VALUES ($1, $2, $3)`;
    await client.query(text, [call.id, call.customer, call.amount]);
    return;
  }
  const { id, source, target, amount } = call;
  // In the order of their numbers, so that no two transfers wait for each other.
  const changes: [account: number, change: number][] = [
    [source, -amount],
    [target, amount],
  ];
  changes.sort(([a], [b]) => a - b);
  await client.transaction(async (query) => {
    await query(`INSERT INTO ${side}.transfers (id, source, target, amount) VALUES ($1, $2, $3, $4)`, [
      id,
      source,
      target,
      amount,
    ]);
    for (const [account, change] of changes) {
      await query(`UPDATE ${side}.accounts SET balance = balance + $2 WHERE id = $1`, [account, change]);
    }
  });
}
