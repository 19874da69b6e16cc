/**
 * Plays the script: one phase after the other, and keeps what happened when.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Dice } from "./random.ts";
import type { Scene } from "./scene.ts";
import type { Stage } from "./script.ts";
import type { Show } from "./show.ts";
import type { Today } from "./today.ts";

/** When a phase ran, in milliseconds of the run. */
export interface Played {
  readonly name: string;
  readonly text: string;
  readonly startedMs: number;
  readonly endedMs: number;
}

/** Longest wait for the router's view to be complete at the end. */
const ROUTER_LIMIT_MS = 15_000;

/** @throws the signal's reason when the run is interrupted; by then the phase has undone what it does for a time. */
export async function play(
  scene: Scene,
  show: Show,
  today: Today,
  random: Dice,
  interrupted: AbortSignal,
): Promise<Played[]> {
  const stage: Stage = {
    cluster: scene.cluster,
    random,
    say(text) {
      const happening = { atMs: scene.now(), text };
      scene.happenings.push(happening);
      show.happened(happening);
    },
    pause: (ms) => pause(ms, undefined, { signal: interrupted }),
    reconfigureToday: (addresses) => today.reconfigure(addresses),
    routerSeesAll: () => routerSeesAll(scene, interrupted),
  };
  const stopTelling = tellOfRouter(scene, stage.say);
  const played: Played[] = [];
  try {
    for (const [index, { name, text, lengthMs, run }] of scene.phases.entries()) {
      scene.phaseIndex = index;
      scene.phaseStartedMs = scene.now();
      show.phaseBegan();
      const ends = await Promise.allSettled([run(stage), stage.pause(lengthMs)]);
      interrupted.throwIfAborted();
      for (const end of ends) if (end.status === "rejected") throw end.reason;
      played.push({ name, text, startedMs: scene.phaseStartedMs, endedMs: scene.now() });
    }
  } finally {
    stopTelling();
  }
  return played;
}

/** Waits until the router sees all nodes up and one primary; goes on without it after a limit, which the view then shows. */
async function routerSeesAll(scene: Scene, interrupted: AbortSignal): Promise<void> {
  const end = scene.now() + ROUTER_LIMIT_MS;
  while (scene.now() < end) {
    const nodes = scene.right.nodes();
    const primaries = nodes.filter(({ role }) => role === "primary").length;
    if (primaries === 1 && nodes.every(({ state, role }) => state === "up" && role !== "unknown")) return;
    await pause(50, undefined, { signal: interrupted });
  }
}

/** Tells what the right side's router notices, by the cluster's names for the nodes. */
function tellOfRouter(scene: Scene, say: (text: string) => void): () => void {
  const { database } = scene.right;
  const names = new Map(scene.right.nodes().map(({ name }, index) => [name, scene.cluster.nodes[index]?.name ?? name]));
  const named = (node: string): string => names.get(node) ?? node;
  const stops = [
    database.on("router:node-down", ({ node }) => say(`router: ${named(node)} is down`)),
    database.on("router:node-up", ({ node }) => say(`router: ${named(node)} is up`)),
    database.on("router:role-changed", ({ node, role }) => say(`router: ${named(node)} is a ${role} now`)),
    database.on("router:node-fenced", ({ node }) => say(`router: ${named(node)} is a primary of the past`)),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}
