/**
 * Dice of a simulation. Each purpose has its own row of numbers, so that taking away one thing (a fault, a call) leaves the
 * luck of all others as it was: without that nothing could be shrunk.
 */
import { type Random, seededRandom } from "@breakwater/core";

/** A row of numbers for one purpose (FNV-1a, public domain, over its name). */
export function dice(seed: number, purpose: string): Random {
  let hash = 0x811c9dc5 ^ seed;
  for (let at = 0; at < purpose.length; at += 1) hash = Math.imul(hash ^ purpose.charCodeAt(at), 0x01000193);
  return seededRandom(hash);
}

/** Waiting times of events that know nothing of each other. */
export function exponential(random: Random, mean: number): number {
  return -Math.log(1 - random()) * mean;
}

/** A time near `typical`, at least half of it, now and then some times as long: what networks and servers show. */
export function spread(random: Random, typical: number): number {
  return typical * (0.5 - 0.5 * Math.log(1 - random()));
}

/** A whole number from 0, below `count`. */
export function below(random: Random, count: number): number {
  return Math.floor(random() * count);
}

/** One of some things; there must be one. */
export function oneAmong<T>(random: Random, things: readonly T[]): T {
  return things[below(random, things.length)] as T;
}

/** One of some names, each as often as its weight says. */
export function weighted<Name extends string>(random: Random, weights: readonly (readonly [Name, number])[]): Name {
  let left = random() * weights.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [name, weight] of weights) {
    left -= weight;
    if (left < 0) return name;
  }
  return (weights.at(-1) as readonly [Name, number])[0];
}
