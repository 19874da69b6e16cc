/** Asks the nodes: all at a time, each within its limit. */
import { setTimeout as delay } from "node:timers/promises";
import type { Address, Lag, Node, Plan, Problem, Round, SilentNode } from "./facts.ts";
import { roundOf } from "./facts.ts";
import { factsOf } from "./node-facts.ts";
import { isRefusal, Session } from "./session.ts";
import type { Target } from "./targets.ts";

/** Pause between two looks at a replica's position. */
const LOOK_MS = 50;

/** A node with the connection that it was asked on. */
interface Asked {
  readonly node: Node;
  readonly session: Session;
  readonly target: Target;
}

/** Everything that there is to know. Never rejects because of a node. */
export async function examine(targets: readonly Target[], plan: Plan, timeoutMs: number): Promise<Round> {
  const met = await Promise.all(targets.map((target) => meet(target, plan, timeoutMs)));
  const asked = met.filter((one) => "node" in one);
  const silent = met.filter((one) => "problem" in one);
  try {
    const first = roundOf(
      asked.map(({ node }) => node),
      silent,
      plan,
    );
    const primary = asked.find(({ node }) => node === first.primaries[0]);
    const watched = await Promise.all(asked.map((one) => watch(one, primary, plan, timeoutMs)));
    return roundOf(
      watched.filter((one) => "state" in one),
      [...silent, ...watched.filter((one) => "problem" in one)],
      plan,
    );
  } finally {
    await Promise.all(asked.map(({ session }) => session.end()));
  }
}

async function meet(target: Target, plan: Plan, timeoutMs: number): Promise<Asked | SilentNode> {
  let session: Session | undefined;
  try {
    session = await Session.open(target.config, timeoutMs);
    const node = await session.within(timeoutMs, factsOf(session, target, plan, timeoutMs));
    return { node, session, target };
  } catch (error) {
    session?.destroy();
    return { ...target.address, problem: problemOf(error, target) };
  }
}

/** The node with how far it stays behind the primary, where it is a replica of that one's. */
async function watch(
  { node, session, target }: Asked,
  primary: Asked | undefined,
  plan: Plan,
  timeoutMs: number,
): Promise<Node | SilentNode> {
  if (primary === undefined || node.state.role !== "replica") return node;
  const { systemId, timeline } = primary.node.state;
  if (node.state.systemId !== systemId || node.state.timeline !== timeline) return node;
  // One that stands still does not catch up.
  const delayed = Number(node.settings.get("recovery_min_apply_delay")?.value ?? 0) > 0;
  const limitMs = node.replay?.paused === true || delayed ? 0 : plan.maxLagMs;
  try {
    return { ...node, lag: await session.within(limitMs + timeoutMs, lagOf(primary.session, session, limitMs)) };
  } catch (error) {
    return isRefusal(error) ? node : { ...addressOf(node), problem: problemOf(error, target) };
  }
}

async function lagOf(primary: Session, replica: Session, limitMs: number): Promise<Lag | undefined> {
  // Whether the primary still answers is no matter of the replica's.
  const goal = await primary.probe().then(
    ({ position }) => position,
    () => undefined,
  );
  const began = performance.now();
  for (;;) {
    const { position } = await replica.probe();
    if (goal === undefined || position === undefined) return undefined;
    const waitedMs = Math.round(performance.now() - began);
    const bytes = goal > position ? goal - position : 0n;
    if (bytes === 0n || waitedMs >= limitMs) return { bytes, waitedMs };
    await delay(LOOK_MS);
  }
}

function addressOf({ name, host, user, database, expected }: Address): Address {
  return { name, host, user, database, expected };
}

/** What a driver's error says, without what must not be seen. */
function problemOf(error: unknown, { secrets }: Target): Problem {
  const { code } = error as { readonly code?: unknown };
  const hidden = secrets.reduce((rest, secret) => rest.replaceAll(secret, "…"), textOf(error));
  return { code: typeof code === "string" ? code : undefined, message: hidden.split("\n", 1)[0] ?? "" };
}

/** Where a name has several addresses, the error that stands for all has no text of its own. */
function textOf(error: unknown): string {
  const { message, errors = [] } = error as { readonly message?: string; readonly errors?: readonly Error[] };
  return message === undefined || message === "" ? (errors[0]?.message ?? "unknown error") : message;
}
