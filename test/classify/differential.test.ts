import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { inspectAnew } from "../../packages/postgres/src/classify/classify.ts";
import type { Inspection } from "../../packages/postgres/src/classify/findings.ts";
import { corpus } from "./corpus.ts";
import { disguise, mutate } from "./disguise.ts";
import { Generator } from "./generate.ts";
import { judge, type Judgement, loadParser } from "./oracle.ts";
import { Tape } from "./tape.ts";

/** A seed that never changes, and one that always does: a failure prints both seed and text. */
const seeds = [20_240_607, Date.now() % 2 ** 31];
const tape = fc.array(fc.nat(10_000), { minLength: 20, maxLength: 200, size: "max" });
const tokens = corpus
  .flatMap((sql) => sql.split(/\s+/))
  .concat(
    "nextval('s') f(1) zone(1) by(1) operator(1) .nextval for update into x ( ) , as not :: ; union with select '\\' E'\\''"
      .split(" ")
      .concat("for update", "for share", "(delete from t)", "as (insert into t values (1))", "operator(pg_catalog.+)"),
  );

/** What would make an application lose data or see another session's state: nothing of it may ever be. */
function misrouting(judged: Judgement, found: Inspection): string | undefined {
  if (judged.class !== "read") {
    if (found.class === "read") return `${judged.class} called read`;
    if (found.classIfHarmless === "read") return `${judged.class} called read if its functions are harmless`;
    if (judged.class === "session" && found.class !== "session" && found.reason !== "malformed text")
      return `session called ${found.class}`;
    return undefined;
  }
  if (judged.unknown.length === 0) return undefined;
  if (found.class === "read") return `calls ${judged.unknown.join(", ")} and was called read`;
  if (found.classIfHarmless !== "read") return undefined;
  const missing = judged.unknown.filter((name) => !found.unknownFunctions.map(bare).includes(bare(name)));
  return missing.length === 0 ? undefined : `did not name ${missing.join(", ")}`;
}

function bare(name: string): string {
  return name.replaceAll('"', "");
}

describe("classify, judged by PostgreSQL's parser", () => {
  beforeAll(loadParser);

  it.each(corpus)("agrees on %s", (sql) => {
    const judged = judge(sql);
    const found = inspectAnew(sql);
    expect(judged).toBeDefined();
    expect(found.classIfHarmless).toBe(judged?.class);
    expect(found.class === "read").toBe(judged?.class === "read" && judged.unknown.length === 0);
  });

  it.each(seeds)("never calls a read what is none, however it is written (seed %i)", (seed) => {
    const counts = { parsed: 0, reads: 0, kept: 0, others: 0 };
    fc.assert(
      fc.property(tape, tape, (numbers, disguises) => {
        const sql = disguise(new Generator(new Tape(numbers)).text(), new Tape(disguises));
        const judged = judge(sql);
        if (judged === undefined) return;
        const found = inspectAnew(sql);
        counts.parsed++;
        if (judged.class !== "read" || judged.unknown.length > 0) counts.others++;
        else {
          counts.reads++;
          if (found.class === "read") counts.kept++;
        }
        expect(misrouting(judged, found), sql).toBeUndefined();
      }),
      { seed, numRuns: 2_000 },
    );
    // The generator is of use only while PostgreSQL reads what it makes and all classes are met.
    expect(counts.parsed).toBeGreaterThan(1_000);
    expect(counts.others).toBeGreaterThan(300);
    expect(counts.kept / counts.reads).toBeGreaterThan(0.75);
  });

  it.each(seeds)("never calls a read what is none after random changes of known statements (seed %i)", (seed) => {
    let parsed = 0;
    fc.assert(
      fc.property(fc.constantFrom(...corpus), tape, (base, numbers) => {
        const sql = mutate(base, tokens, new Tape(numbers));
        const judged = judge(sql);
        if (judged === undefined) return;
        parsed++;
        expect(misrouting(judged, inspectAnew(sql)), sql).toBeUndefined();
      }),
      { seed, numRuns: 3_000 },
    );
    expect(parsed).toBeGreaterThan(300);
  });

  it.each(seeds)("answers for any text at all (seed %i)", (seed) => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), fc.constantFrom(...corpus), (noise, base) => {
        for (const sql of [noise, `select ${noise}`, base.slice(0, noise.length * 2) + noise]) {
          const judged = judge(sql);
          const found = inspectAnew(sql);
          if (judged !== undefined) expect(misrouting(judged, found), sql).toBeUndefined();
        }
      }),
      { seed, numRuns: 1_000 },
    );
  });
});
